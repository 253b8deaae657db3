import * as z from 'zod'
import { notFound } from '../../errors.ts'
import { conversationId, project, timestamp } from '../fields.ts'
import { operation, READS } from '../operation.ts'

export const getSession = operation({
  name: 'get_session',
  group: 'context',
  title: 'Get a conversation',
  description: 'Get a conversation: its turns, the context sent with each, a summary, and when it expires.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/session/{session_id}' }],
  input: z.strictObject({ project, session_id: conversationId.describe('Id of the conversation.') }),
  output: z.object({
    session_id: z.string(),
    turns: z.array(
      z.object({
        turn_number: z.int(),
        query: z.string().describe('Its first 2,000 characters.'),
        context_ids: z.array(z.string()),
        tokens: z.int().describe('Tokens of context that were sent.'),
        query_tokens: z.int(),
        answer: z.string().nullable().describe('Its first 2,000 characters; null: none was tracked.'),
        answer_tokens: z.int().nullable(),
        created_at: timestamp,
      }),
    ),
    contexts: z
      .array(
        z.object({
          context_id: z.string(),
          number: z.int(),
          title: z.string(),
          turn_number: z.int().describe('Turn of the latest showing.'),
          tokens: z.int().describe('Tokens shown of it in all turns.'),
        }),
      )
      .describe('What was shown, under the numbers that the prompts used.'),
    summary: z.object({
      text: z.string(),
      method: z
        .enum(['extractive', 'model'])
        .describe('extractive: sentences as they were said, chosen by their words.'),
      through_turn: z.int(),
    }),
    dropped_turns: z.int().describe('Turns beyond the last 500; the summary covers them.'),
    created_at: timestamp,
    expires_at: timestamp.describe('Milliseconds since 1970; moves with every turn.'),
  }),
  async run(services, input) {
    const state = await services.conversations.read(input.project, input.session_id)
    if (!state) throw notFound('session', 'session_id', 'Sessions end CONVERSATION_DAYS after their last turn.')
    return {
      session_id: state.id,
      turns: state.turns.map((turn) => ({
        turn_number: turn.number,
        query: turn.query,
        context_ids: [...turn.contextIds],
        tokens: turn.tokens,
        query_tokens: turn.queryTokens,
        answer: turn.answer,
        answer_tokens: turn.answerTokens,
        created_at: turn.createdAt,
      })),
      contexts: state.shown.map(({ contextId, number, title, turn, tokens }) => ({
        context_id: contextId,
        number,
        title,
        turn_number: turn,
        tokens,
      })),
      summary: { text: state.summary.text, method: state.summary.method, through_turn: state.summary.throughTurn },
      dropped_turns: state.droppedTurns,
      created_at: state.createdAt,
      expires_at: state.expiresAt,
    }
  },
})

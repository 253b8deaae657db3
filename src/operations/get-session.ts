import * as z from 'zod'
import { notFound } from '../errors.ts'
import { conversationId, project, timestamp } from './fields.ts'
import { operation, READS } from './operation.ts'

export const getSession = operation({
  name: 'get_session',
  title: 'Get a conversation',
  description: 'The turns of a conversation with the context that each carried.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/session/{session_id}' }],
  input: z.strictObject({ project, session_id: conversationId }),
  output: z.object({
    session_id: z.string(),
    turns: z.array(
      z.object({
        turn_number: z.int(),
        query: z.string(),
        context_ids: z.array(z.string()),
        tokens: z.int(),
        created_at: timestamp,
      }),
    ),
    created_at: timestamp,
    expires_at: timestamp,
  }),
  async run(services, input) {
    const state = await services.conversations.read(input.project, input.session_id)
    if (!state) throw notFound('session', 'session_id', 'Sessions end seven days after their last turn.')
    return {
      session_id: state.id,
      turns: state.turns.map((turn) => ({
        turn_number: turn.number,
        query: turn.query,
        context_ids: [...turn.contextIds],
        tokens: turn.tokens,
        created_at: turn.createdAt,
      })),
      created_at: state.createdAt,
      expires_at: state.expiresAt,
    }
  },
})

import * as z from 'zod'
import { newId } from '../ids.ts'
import { queryText } from '../knowledge/text-fields.ts'
import { augment } from '../retrieval/augment.ts'
import { TOKENIZER } from '../text/token-counter.ts'
import { collectionName, contextIdField, conversationId, degraded, project, tokenBudget } from './fields.ts'
import { ADDS, operation } from './operation.ts'

/** Items that each level considers. */
const LEVELS = { standard: 5, detailed: 10, comprehensive: 20 } as const

export const multiTurnContext = operation({
  name: 'multi_turn_context',
  title: 'Context for a turn of a conversation',
  description:
    'Returns the context for the next turn of a conversation: only what earlier turns have not carried. Without a ' +
    'session_id a new session begins; pass the returned one in the next turn.',
  scope: 'read',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/context/multi_turn' }],
  input: z.strictObject({
    project,
    query: queryText,
    session_id: conversationId.optional(),
    context_level: z.enum(['standard', 'detailed', 'comprehensive']).default('standard'),
    previous_context_ids: z.array(contextIdField).max(1000).default([]).describe('Context that the model still has.'),
    max_tokens: tokenBudget.default(2000),
  }),
  output: z.object({
    context: z.string(),
    context_ids: z.array(z.string()),
    already_sent: z.array(z.string()),
    suggestions: z.array(z.string()).describe('Titles of the relevant items, to ask about next.'),
    token_count: z.int(),
    tokenizer: z.string(),
    collections_searched: z.array(collectionName),
    session_id: z.string(),
    turn_number: z.int(),
    degraded,
  }),
  async run(services, input) {
    const session = input.session_id ?? newId()
    const result = await augment(services, {
      operation: 'multi_turn_context',
      project: input.project,
      query: input.query,
      items: LEVELS[input.context_level],
      tokenBudget: input.max_tokens,
      conversationId: session,
      exclude: new Set(input.previous_context_ids),
    })
    return {
      context: result.context,
      context_ids: result.contextIds,
      already_sent: result.alreadySent,
      suggestions: suggest(result.packed.map(({ item }) => item.title.split('\n')[0] ?? '')),
      token_count: result.tokens,
      tokenizer: TOKENIZER,
      collections_searched: [...result.collections],
      session_id: session,
      turn_number: result.turnNumber ?? 1,
      degraded: result.degraded,
    }
  },
})

/** Distinct, non-empty titles, five at most. */
function suggest(titles: readonly string[]): string[] {
  return [...new Set(titles.filter((title) => title !== ''))].slice(0, 5)
}

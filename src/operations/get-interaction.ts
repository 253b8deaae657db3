import * as z from 'zod'
import { contextsOf, findInteraction } from '../database/queries/interactions.ts'
import { outcomeHistory } from '../database/queries/outcomes.ts'
import { findDecision } from '../database/queries/routing.ts'
import { notFound } from '../errors.ts'
import { interactionOutput, presentInteraction } from '../learning/interaction-output.ts'
import { uuid } from './fields.ts'
import { operation, READS } from './operation.ts'
import { decisionView, viewDecision } from './routing-views.ts'

/** One interaction with its context and the history of its outcome. */
export const getInteraction = operation({
  name: 'get_interaction',
  title: 'Read an interaction',
  description:
    'Read a tracked interaction: query, answer, context, routing, outcome with its history, and value score with its parts.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/interactions/{interaction_id}' }],
  input: z.strictObject({ interaction_id: uuid.describe('From track_interaction.') }),
  output: interactionOutput.extend({
    contexts: z.array(
      z.object({
        context_id: z.string(),
        position: z.int().describe('From 0, in the order shown.'),
      }),
    ),
    routing: decisionView.nullable().describe('The decision that the answer named; null: none.'),
    history: z.array(
      z.object({
        outcome: z.string().nullable(),
        user_feedback: z.int().nullable(),
        at: z.number().describe('Milliseconds since 1970.'),
      }),
    ),
  }),
  async run({ database }, input, caller) {
    const row = await findInteraction(database, input.interaction_id, caller.project)
    if (!row) throw notFound('interaction', 'interaction_id')
    const [contexts, history, decision] = await Promise.all([
      contextsOf(database, row.id),
      outcomeHistory(database, row.id),
      row.decisionId === null ? null : findDecision(database, row.project, row.decisionId),
    ])
    return {
      ...presentInteraction(row),
      contexts: contexts.map(({ collection, itemId, position }) => ({
        context_id: `${collection}/${itemId}`,
        position,
      })),
      routing: decision && viewDecision(decision),
      history: history.map((event) => ({
        outcome: event.outcome,
        user_feedback: event.userFeedback,
        at: event.createdAt,
      })),
    }
  },
})

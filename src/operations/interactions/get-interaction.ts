import * as z from 'zod'
import { wholeInteraction } from '../../archive/read.ts'
import { findDecision } from '../../database/queries/routing.ts'
import { notFound } from '../../errors.ts'
import { uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { decisionView, viewDecision } from '../routing/routing-views.ts'
import { interactionOutput, presentInteraction } from './interaction-output.ts'

/** One interaction with its context and the history of its outcome. */
export const getInteraction = operation({
  name: 'get_interaction',
  group: 'interactions',
  title: 'Read an interaction',
  description:
    'Get a tracked interaction: query, answer, context, routing, outcome with its history, and value score with its parts.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/interactions/{interaction_id}' }],
  input: z.strictObject({ interaction_id: uuid.describe('interaction_id of track_interaction.') }),
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
  async run(services, input, caller) {
    const found = await wholeInteraction(services, input.interaction_id, caller.project)
    if (!found) throw notFound('interaction', 'interaction_id')
    const { row, contexts, history } = found
    const decision = row.decisionId === null ? null : await findDecision(services.database, row.project, row.decisionId)
    return {
      ...presentInteraction(row),
      contexts: contexts.map(({ contextId, position }) => ({ context_id: contextId, position })),
      routing: decision && viewDecision(decision),
      history: history.map(({ outcome, userFeedback, at }) => ({ outcome, user_feedback: userFeedback, at })),
    }
  },
})

import * as z from 'zod'
import { notFound } from '../../errors.ts'
import { reportOutcome } from '../../outcomes/report-outcome.ts'
import { idempotencyKey, outcome, userFeedback, uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'
import { outcomeAnswer, outcomeOutput } from './outcome-answer.ts'

/** Stores what came of an interaction; scoring follows in the background. */
export const updateOutcome = operation({
  name: 'update_outcome',
  group: 'interactions',
  title: 'Report an outcome',
  description:
    'Report what came of a tracked interaction: success, partial or failure, with an optional rating. May come late and may be ' +
    'corrected: the last word counts. Repeating the same outcome changes nothing.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/update_outcome' }],
  input: z.strictObject({
    interaction_id: uuid.describe('From track_interaction.'),
    outcome,
    user_feedback: userFeedback
      .optional()
      .describe('Rating: -1, 0 or 1. Left out: a rating given before stays, and without one the score counts it as 0.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: outcomeOutput,
  async run(services, input, caller) {
    const recorded = await reportOutcome(services, {
      interactionId: input.interaction_id,
      outcome: input.outcome,
      ...(input.user_feedback !== undefined && { userFeedback: input.user_feedback }),
      caller: caller.id,
      onlyProject: caller.project,
      idempotencyKey: input.idempotency_key ?? null,
    })
    if (!recorded)
      throw notFound('interaction', 'interaction_id', 'Use the interaction_id that track_interaction returned.')
    return outcomeAnswer(services, input.interaction_id, recorded)
  },
})

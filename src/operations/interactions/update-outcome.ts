import * as z from 'zod'
import { notFound } from '../../errors.ts'
import { reportOutcome } from '../../outcomes/report-outcome.ts'
import { idempotencyKey, outcome, userFeedback, uuid } from '../fields.ts'
import { holds } from '../invoke.ts'
import { operation, SETS } from '../operation.ts'
import { outcomeAnswer, outcomeOutput } from './outcome-answer.ts'

/** Stores the outcome of an interaction. Scoring runs in the background. */
export const updateOutcome = operation({
  name: 'update_outcome',
  group: 'interactions',
  title: 'Report an outcome',
  description:
    "Report whether a tracked answer worked as soon as that is known, for example by a test or the person's reply. Don't " +
    'guess. A later report replaces an earlier one.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/update_outcome' }],
  input: z.strictObject({
    interaction_id: uuid.describe('interaction_id of track_interaction.'),
    outcome,
    user_feedback: userFeedback
      .optional()
      .describe('Rating by the person: 1 liked, 0 neutral, -1 disliked. Left out: an earlier rating stays.'),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: outcomeOutput,
  async run(services, input, caller) {
    const recorded = await reportOutcome(services, {
      interactionId: input.interaction_id,
      outcome: input.outcome,
      ...(input.user_feedback !== undefined && { userFeedback: input.user_feedback }),
      caller: caller.id,
      admin: holds(caller, 'admin'),
      onlyProject: caller.project,
      idempotencyKey: input.idempotency_key ?? null,
    })
    if (!recorded)
      throw notFound('interaction', 'interaction_id', 'Use the interaction_id that track_interaction returned.')
    return outcomeAnswer(services, input.interaction_id, recorded)
  },
})

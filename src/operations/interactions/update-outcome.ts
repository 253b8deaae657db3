import * as z from 'zod'
import { idempotencyKey, outcome, userFeedback, uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'
import { outcomeOutput, recordReport } from './outcome-answer.ts'

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
    const { outcome, user_feedback: userFeedback } = input
    return recordReport(services, input, { outcome, ...(userFeedback !== undefined && { userFeedback }) }, caller)
  },
})

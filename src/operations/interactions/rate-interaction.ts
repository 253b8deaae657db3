import * as z from 'zod'
import { idempotencyKey, userFeedback, uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'
import { outcomeOutput, recordReport } from './outcome-answer.ts'

/** Stores a rating. The outcome does not change. */
export const rateInteraction = operation({
  name: 'rate_interaction',
  group: 'interactions',
  title: 'Rate an interaction',
  description: 'Rate a tracked interaction without changing its outcome. A later rating replaces an earlier one.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/feedback/{interaction_id}' }],
  input: z.strictObject({
    interaction_id: uuid.describe('interaction_id of track_interaction.'),
    rating: userFeedback,
    idempotency_key: idempotencyKey.optional(),
  }),
  output: outcomeOutput,
  async run(services, input, caller) {
    return recordReport(services, input, { userFeedback: input.rating }, caller)
  },
})

import * as z from 'zod'
import { notFound } from '../../errors.ts'
import { reportOutcome } from '../../outcomes/report-outcome.ts'
import { idempotencyKey, userFeedback, uuid } from '../fields.ts'
import { holds } from '../invoke.ts'
import { operation, SETS } from '../operation.ts'
import { outcomeAnswer, outcomeOutput } from './outcome-answer.ts'

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
    const recorded = await reportOutcome(services, {
      interactionId: input.interaction_id,
      userFeedback: input.rating,
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

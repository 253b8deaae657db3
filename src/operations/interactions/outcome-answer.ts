/**
 * The answer to every report of an outcome or rating.
 * @module
 */
import * as z from 'zod'
import type { Outcome, ValueParts } from '../../database/schema.ts'
import { notFound } from '../../errors.ts'
import { reportOutcome } from '../../outcomes/report-outcome.ts'
import type { Services } from '../../services.ts'
import { holds } from '../invoke.ts'
import type { Caller } from '../operation.ts'

/** The weighted parts of a value score. They sum to the score. */
export const valuePartsOutput = z.object({
  outcome: z.number(),
  feedback: z.number(),
  reusability: z.number(),
  complexity: z.number(),
  novelty: z.number(),
})

export const outcomeOutput = z.object({
  status: z.enum(['recorded', 'unchanged']).describe('unchanged: it was so already.'),
  interaction_id: z.string(),
  outcome: z.enum(['success', 'partial', 'failure']).nullable(),
  user_feedback: z.int().describe('Rating that counts; 0 when nobody rated.'),
  revision: z.int().describe('Number of changes of outcome and rating so far.'),
  value_score: z.number().nullable().describe('0 to 1; null while the job is pending or while no outcome is known.'),
  value_parts: valuePartsOutput.nullable(),
  job_id: z.string().nullable().describe('The job that computes the score; null when there is none, or no longer.'),
  job_status: z.enum(['pending', 'running', 'done', 'dead', 'discarded']).nullable(),
})

/**
 * Records an outcome or rating, announces the job of a new revision and returns the current state of the interaction.
 * @param report what the caller reports: an outcome, a rating, or both
 * @throws CoordinatorError `not_found`
 */
export async function recordReport(
  services: Services,
  { interaction_id: interactionId, idempotency_key }: { interaction_id: string; idempotency_key?: string },
  report: { readonly outcome?: Outcome; readonly userFeedback?: number },
  caller: Caller,
): Promise<z.input<typeof outcomeOutput>> {
  const recorded = await reportOutcome(services, {
    interactionId,
    ...report,
    caller: caller.id,
    admin: holds(caller, 'admin'),
    onlyProject: caller.project,
    idempotencyKey: idempotency_key ?? null,
  })
  if (!recorded)
    throw notFound('interaction', 'interaction_id', 'Use the interaction_id that track_interaction returned.')
  if (recorded.changed && recorded.jobId) await services.enqueueJobs([recorded.jobId]).catch(() => undefined)
  return {
    status: recorded.changed ? 'recorded' : 'unchanged',
    interaction_id: interactionId,
    outcome: recorded.outcome,
    user_feedback: recorded.userFeedback ?? 0,
    revision: recorded.revision,
    value_score: recorded.valueScore,
    value_parts: recorded.valueParts === null ? null : (JSON.parse(recorded.valueParts) as ValueParts),
    job_id: recorded.jobId,
    job_status: recorded.jobStatus,
  }
}

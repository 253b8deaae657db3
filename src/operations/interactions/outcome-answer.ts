/**
 * The answer to every report of an outcome or rating.
 * @module
 */
import * as z from 'zod'
import type { RecordedOutcome } from '../../database/queries/outcomes.ts'
import type { ValueParts } from '../../database/schema.ts'
import type { Services } from '../../services.ts'

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

/** Announces the job of a new revision and returns the current state of the interaction. */
export async function outcomeAnswer(
  services: Services,
  interactionId: string,
  recorded: RecordedOutcome,
): Promise<z.input<typeof outcomeOutput>> {
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

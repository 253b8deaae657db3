/**
 * What a kind of background work is.
 * @module
 */
import type { Budget } from '../budget.ts'
import type { JobProgress } from '../database/schema.ts'
import type { Services } from '../services.ts'

/** `more`: the budget is spent and there is more to do at once; `not_ready`: later, and nothing failed. */
export type JobStep = 'done' | 'more' | 'not_ready'

/** What a job tells its runner. */
export type JobResult =
  | JobStep
  | {
      readonly step: JobStep
      /** Where to go on; kept in the job's row. Left out: as it was. */
      readonly state?: Readonly<Record<string, unknown>>
      readonly progress?: JobProgress
      /** The result that get_job answers. */
      readonly result?: Readonly<Record<string, unknown>>
    }

/** What a job is about. */
export interface JobTask {
  readonly id: string
  readonly project: string
  readonly subject: string
  readonly revision: number
  /** Where the last run ended; null: this is the first, or the job keeps its position elsewhere. */
  readonly state: Readonly<Record<string, unknown>> | null
}

/** Does the work on one subject at one revision, for as long as the budget lasts. */
export type JobFunction = (services: Services, task: JobTask, budget: Budget) => Promise<JobResult>

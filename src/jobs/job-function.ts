/**
 * The interface of background jobs.
 * @module
 */
import type { Budget } from '../budget.ts'
import type { JobProgress } from '../database/schema.ts'
import type { Services } from '../services.ts'

/** `more`: the budget is used up and work remains; `not_ready`: try again later, nothing failed. */
export type JobStep = 'done' | 'more' | 'not_ready'

/** What a job returns to its runner. */
export type JobResult =
  | JobStep
  | {
      readonly step: JobStep
      /** The position to continue from, stored in the job's row. Missing: unchanged. */
      readonly state?: Readonly<Record<string, unknown>>
      readonly progress?: JobProgress
      /** The result that get_job returns. */
      readonly result?: Readonly<Record<string, unknown>>
    }

/** The input of a job. */
export interface JobTask {
  readonly id: string
  readonly project: string
  readonly subject: string
  readonly revision: number
  /** The position of the last run; null: this is the first run, or the job stores its position elsewhere. */
  readonly state: Readonly<Record<string, unknown>> | null
}

/** Works on one subject at one revision, until the budget is used up. */
export type JobFunction = (services: Services, task: JobTask, budget: Budget) => Promise<JobResult>

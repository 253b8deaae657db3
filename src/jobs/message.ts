/**
 * What the queue carries: a hint that a job row exists. Lost or repeated messages do no harm.
 * @module
 */
export interface JobMessage {
  readonly jobId: string
}

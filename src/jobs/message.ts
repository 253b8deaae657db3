/**
 * What the queue carries: a hint that a job row exists. Lost or repeated messages do no harm.
 * @module
 */
export interface JobMessage {
  readonly jobId: string
  /** Trace of what caused the job; left out: none is known. */
  readonly traceparent?: string
}

/**
 * The queue's messages: hints that a job row exists. Lost or repeated messages are harmless.
 * @module
 */
export interface JobMessage {
  readonly jobId: string
  /** Trace that caused the job, if known. */
  readonly traceparent?: string
}

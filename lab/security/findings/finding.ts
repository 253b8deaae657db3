/**
 * A finding of the security review of 1ed55d6: the request, the result then, and how to repeat it.
 * @module
 */
import type { Coordinator } from '../coordinator.ts'

/** The current result of a request. */
export interface Outcome {
  readonly now: string
  readonly holds: boolean
}

/** A finding: its number in the review, the request, and the result at that time. */
export interface Finding {
  readonly id: string
  readonly request: string
  readonly before: string
  send(coordinator: Coordinator): Promise<Outcome>
}

export const outcome = (holds: boolean, now: string): Outcome => ({ holds, now })
export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
/** The error code of an answer. */
export const codeOf = (text: string) => /"code"\s*:\s*"([\w-]+)"/.exec(text)?.[1] ?? ''
/** The statuses of several answers, as the table shows them. */
export const statuses = (answers: readonly { status: number }[]) => answers.map(({ status }) => status).join(', ')

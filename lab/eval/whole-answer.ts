/**
 * Answers that an evaluation may count: none in which an engine was missing, since words alone would be measured under another name.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../../cli/harness.ts'

/** An engine that has failed is asked again after 15 s at the latest. */
const ATTEMPTS = 30
const PAUSE_MS = 1_000

/**
 * Posts until the answer is whole.
 * @throws Error when it never is
 */
export async function wholeAnswer<T extends object>(http: HttpClient, path: string, body: unknown): Promise<T> {
  let missing: readonly string[] = []
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = await http.post<T & { degraded?: readonly string[] }>(path, body)
    missing = answer.degraded ?? []
    if (missing.length === 0) return answer
    await sleep(PAUSE_MS)
  }
  throw new Error(`${path} still answers without ${missing.join(', ')}: what was to be measured does not run.`)
}

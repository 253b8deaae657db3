/**
 * Answers that are valid for an evaluation: with all engines available, because otherwise keyword search would be
 * measured under another name.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../../cli/harness.ts'

/** A failed engine is called again after at most 15 s. */
const ATTEMPTS = 30
const PAUSE_MS = 1_000

/**
 * Posts until the answer is complete.
 * @throws Error if it never is
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

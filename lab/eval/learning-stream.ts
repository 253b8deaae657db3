/**
 * The simulated stream of the learning evaluation: the queries and their reported outcomes. Pure functions.
 * @module
 */
import { createHttpClient, type HttpClient } from '../../cli/harness.ts'
import { UsageError } from '../../cli/shared/args.ts'

/** Share of honest outcomes that are wrong. */
const NOISE = 0.2

/**
 * Splits queries randomly into an asked half and an unseen half. With an odd number, the unseen half has one more.
 * @param random returns uniform numbers in [0, 1)
 */
export function splitQueries<T>(queries: readonly T[], random: () => number): { training: T[]; unseen: T[] } {
  const mixed = shuffled(queries, random)
  const half = Math.floor(mixed.length / 2)
  return { training: mixed.slice(0, half), unseen: mixed.slice(half) }
}

/** A copy in random order (Fisher & Yates 1938; Durstenfeld 1964). */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const mixed = [...values]
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const [a, b] = [mixed[i] as T, mixed[j] as T]
    mixed[i] = b
    mixed[j] = a
  }
  return mixed
}

/**
 * The outcome that a caller reports. An honest caller is wrong with probability 0.2; a hostile one always reports the
 * opposite.
 * @param draw a random number in [0, 1)
 */
export function outcomeOf(helped: boolean, hostile: boolean, draw: number): 'success' | 'failure' {
  const wrong = hostile || draw < NOISE
  return helped !== wrong ? 'success' : 'failure'
}

/**
 * Numbers of outcomes after which quality is measured: an eighth, a quarter, a half and all, ascending and distinct.
 */
export function checkpoints(outcomes: number): number[] {
  return [...new Set([8, 4, 2, 1].map((part) => Math.ceil(outcomes / part)))]
}

/** Callers that report outcomes; every {@link HOSTILE_EVERY}th reports the opposite of what it saw. */
export const CALLERS = 20
export const HOSTILE_EVERY = 10

/** A client for each of {@link CALLERS} keys that can read, write and learn. */
export function makeCallers(url: string, admin: HttpClient): Promise<HttpClient[]> {
  const scopes = ['read', 'write', 'learn']
  return Promise.all(
    Array.from({ length: CALLERS }, async (_, i) => {
      const made = await admin.post<{ key: string }>('/keys', { name: `caller-${i}`, scopes })
      return createHttpClient({ url, key: made.key })
    }),
  )
}

/**
 * The number of outcomes and the seed that were given.
 * @throws {UsageError} if one is no whole number
 */
export function streamSize(values: { readonly outcomes: string; readonly seed: string }): [number, number] {
  const [outcomes, seed] = [Number(values.outcomes), Number(values.seed)]
  if (!Number.isInteger(outcomes) || outcomes < 1) throw new UsageError('--outcomes must be a whole number from 1')
  if (!Number.isInteger(seed)) throw new UsageError('--seed must be a whole number')
  return [outcomes, seed]
}

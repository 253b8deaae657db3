/**
 * The simulated stream of the learning evaluation: which queries are asked, and what is said of them. Pure functions.
 * @module
 */

/** Share of honest outcomes that are wrong. */
const NOISE = 0.2

/**
 * Splits queries at random into a half that is asked and a half that is not; of an odd number the unseen half has one more.
 * @param random uniform numbers in [0, 1)
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
 * What a caller says of an answer. An honest one is wrong with probability 0.2; a hostile one always says the opposite of
 * what it saw.
 * @param draw uniform in [0, 1)
 */
export function outcomeOf(helped: boolean, hostile: boolean, draw: number): 'success' | 'failure' {
  const wrong = hostile || draw < NOISE
  return helped !== wrong ? 'success' : 'failure'
}

/** Numbers of outcomes after which quality is measured: an eighth, a quarter, a half and all, rising and distinct. */
export function checkpoints(outcomes: number): number[] {
  return [...new Set([8, 4, 2, 1].map((part) => Math.ceil(outcomes / part)))]
}

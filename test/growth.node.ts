/**
 * Tests whether work is linear in its input. It compares the CPU time of this thread at two sizes, so neither a slow
 * machine nor other processes affect the result. Runs in Node, because a Worker's clock doesn't advance during
 * computation.
 * @module
 */

/**
 * CPU time of this thread for one call, in milliseconds: the minimum of several calls, because one may include garbage
 * collection.
 */
export function cpuTime(work: () => unknown, runs: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run++) {
    const before = process.threadCpuUsage()
    work()
    const { user, system } = process.threadCpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}

/** Maximum factor of CPU time for four times the input: 4 for linear growth, 16 for quadratic growth. */
const MAX_RATIO = 10
/** CPU time below this at the larger size is too short to compare, in milliseconds. */
const MIN_MS = 40

/**
 * The factor of CPU time for four times the input; 0 if it is too short to compare.
 * @param work processes a text of the given length, which differs between calls, to avoid cache hits
 */
export function growthOf(work: (text: string) => unknown, piece: string, length: number): number {
  let call = 0
  const textOf = (size: number) => `${call++}${piece.repeat(Math.ceil(size / piece.length))}`
  work(textOf(500))
  const large = cpuTime(() => work(textOf(length)), 1)
  if (large < MIN_MS) return 0
  const least = cpuTime(() => work(textOf(length)), 2)
  return (
    Math.min(large, least) /
    Math.max(
      1,
      cpuTime(() => work(textOf(length / 4)), 3),
    )
  )
}

/** The pieces whose repetition takes more than linear time, each with its factor. */
export function steeperThanLinear(
  work: (text: string) => unknown,
  pieces: readonly string[],
  length: number,
): string[] {
  return pieces
    .map((piece) => ({ piece, ratio: growthOf(work, piece, length) }))
    .filter(({ ratio }) => ratio > MAX_RATIO)
    .map(({ piece, ratio }) => `${JSON.stringify(piece)}: ${ratio.toFixed(1)} times`)
}

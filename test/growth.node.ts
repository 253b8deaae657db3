/**
 * Whether work grows in proportion to its input. It compares CPU time of this thread at two sizes, so neither a slow machine nor
 * other processes change the verdict. In node: the clock of a Worker stands still while it computes.
 * @module
 */

/** CPU time of this thread for one call, in milliseconds; the least of several, since a collection of garbage may fall into one. */
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

/** Work on four times the input may cost this many times as much: 4 for linear growth, 16 for a square. */
const MAX_RATIO = 10
/** CPU time below this at the larger size is too short to compare, in milliseconds. */
const MIN_MS = 40

/**
 * How many times as much CPU time four times the input takes; 0 when it is too little to compare.
 * @param work takes a text of the given length, which differs from call to call so that no cache answers
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

/** The pieces whose repetition costs more than in proportion, each with its ratio. */
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

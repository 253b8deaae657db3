/**
 * Work per byte: finds requests that cost far more than others of the same size.
 *
 * A busy machine slows everything down, so a request is compared with the median of its size class in the same run.
 * Requests run concurrently, so the slowest of each class are sent again sequentially, three times, and so is a sample
 * of the class.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'

/** A request that costs more than this many times the median of its size class is a finding. */
export const MAX_TIMES_MEDIAN = 100
/** Size of the sample of each class. */
const SAMPLE = 15
/** Number of slowest requests of each class that are measured again. */
const SLOWEST = 3
/** Number of repetitions; the shortest time counts. */
const REPEATS = 3

interface SizeClass<T> {
  seen: number
  readonly sample: T[]
  /** Slowest first. */
  slowest: { readonly request: T; readonly ms: number }[]
}

/** The most expensive request of a size class. */
export interface Cost<T> {
  readonly request: T
  /** Sizes of the class, in bytes: from this to less than twice this. */
  readonly bytes: number
  readonly medianMs: number
  /** Shortest of three times, in milliseconds. */
  readonly ms: number
  readonly timesMedian: number
}

/** Collects the requests of a run by size class: powers of two of their bytes. */
export class WorkSample<T> {
  readonly #classes = new Map<number, SizeClass<T>>()
  readonly #random: Random

  /** @param random selects the sample of each class */
  constructor(random: Random) {
    this.#random = random
  }

  /** Records an answered request. */
  note(request: T, bytes: number, ms: number): void {
    const bits = Math.floor(Math.log2(Math.max(1, bytes)))
    const known = this.#classes.get(bits) ?? { seen: 0, sample: [], slowest: [] }
    this.#classes.set(bits, known)
    known.seen++
    // Reservoir sampling (Vitter 1985, algorithm R): each request of the class has the same probability of being kept.
    const place = known.seen <= SAMPLE ? known.seen - 1 : Math.floor(this.#random() * known.seen)
    if (place < SAMPLE) known.sample[place] = request
    known.slowest = [...known.slowest, { request, ms }].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST)
  }

  /**
   * The most expensive request of each class, measured again. A class with too few requests uses the sample of the next
   * larger class that has enough: larger requests may cost more, so this doesn't produce false findings.
   * @param measure sends a request on its own and returns the time of its answer, in milliseconds
   */
  async costs(measure: (request: T) => Promise<number>): Promise<Cost<T>[]> {
    const found: Cost<T>[] = []
    let median: number | null = null
    for (const [bits, { sample, slowest }] of [...this.#classes].sort(([a], [b]) => b - a)) {
      if (sample.length >= SAMPLE || median === null) {
        const times: number[] = []
        for (const request of sample) times.push(await measure(request))
        median = medianOf(times)
      }
      const costs: Cost<T>[] = []
      for (const { request } of slowest) {
        let ms = Number.POSITIVE_INFINITY
        for (let repeat = 0; repeat < REPEATS; repeat++) ms = Math.min(ms, await measure(request))
        costs.push({ request, bytes: 2 ** bits, medianMs: median, ms, timesMedian: ms / median })
      }
      found.push(...costs.sort((a, b) => b.ms - a.ms).slice(0, 1))
    }
    return found
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

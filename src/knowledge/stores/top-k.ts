/**
 * Keeps the rows with the greatest scores, up to a limit.
 * @module
 */
export class TopK {
  readonly #limit: number
  readonly #rows: Uint32Array
  /** In decreasing order. */
  readonly #scores: Float64Array
  #size = 0
  /** Only greater scores are accepted: the lowest kept score, once the limit is reached. */
  floor: number

  /** @param floor only greater scores are accepted */
  constructor(limit: number, floor = Number.NEGATIVE_INFINITY) {
    this.#limit = limit
    this.#rows = new Uint32Array(limit + 1)
    this.#scores = new Float64Array(limit + 1)
    this.floor = limit === 0 ? Number.POSITIVE_INFINITY : floor
  }

  /** Adds a row with a score above the floor. Among equal scores, the earlier row stays first. */
  add(row: number, score: number): void {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#scores[middle] as number) >= score) low = middle + 1
      else high = middle
    }
    this.#rows.copyWithin(low + 1, low, this.#size)
    this.#scores.copyWithin(low + 1, low, this.#size)
    this.#rows[low] = row
    this.#scores[low] = score
    if (this.#size < this.#limit) this.#size++
    if (this.#size === this.#limit) this.floor = this.#scores[this.#limit - 1] as number
  }

  /** The rows by decreasing score. */
  get rows(): number[] {
    return Array.from(this.#rows.subarray(0, this.#size))
  }

  /** Their scores. */
  get scores(): Float64Array {
    return this.#scores.subarray(0, this.#size)
  }
}

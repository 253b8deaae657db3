/**
 * The rows with the greatest scores of all that are offered, at most so many.
 * @module
 */
export class TopK {
  readonly #limit: number
  readonly #rows: Uint32Array
  /** Falling. */
  readonly #scores: Float64Array
  #size = 0
  /** Only a greater score gets in: the least one, once there are as many as there may be. */
  floor: number

  /** @param floor scores that are not greater are never let in */
  constructor(limit: number, floor = Number.NEGATIVE_INFINITY) {
    this.#limit = limit
    this.#rows = new Uint32Array(limit + 1)
    this.#scores = new Float64Array(limit + 1)
    this.floor = limit === 0 ? Number.POSITIVE_INFINITY : floor
  }

  /** Offers a row with a score over the floor. Among equal scores the one that came first stays in front. */
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

  /** The rows by falling score. */
  get rows(): number[] {
    return Array.from(this.#rows.subarray(0, this.#size))
  }

  /** Their scores. */
  get scores(): Float64Array {
    return this.#scores.subarray(0, this.#size)
  }
}

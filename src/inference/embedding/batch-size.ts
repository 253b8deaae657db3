/**
 * How many texts a request to an embedding engine holds: as many as it has been seen to embed in a few seconds. A server with a large
 * model on a CPU takes seconds for one text, one with a GPU a thousandth of that.
 * @module
 */

/** Texts of one request at most, and of the first one to an engine that nothing is known of. */
const MAX_TEXTS = 32
const FIRST_TEXTS = 4
/** Target duration of a request, in milliseconds. */
const AIM_MS = 10_000
/** After a time-out the next request holds so much less. */
const SHRINKING = 4

export class BatchSize {
  #texts = FIRST_TEXTS
  /** Milliseconds for one text, as the last request took; null: not known yet. */
  #pace: number | null = null

  /** Texts that a request should hold which may take so many milliseconds; 0: not even one is embedded in that time. */
  within(milliseconds: number): number {
    return this.#pace === null ? this.#texts : Math.min(this.#texts, Math.floor(milliseconds / this.#pace))
  }

  /** A request has been answered. */
  answered(texts: number, milliseconds: number): void {
    this.#pace = Math.max(milliseconds, 1) / texts
    const grown = Math.max(this.#texts, texts * 2)
    this.#texts = Math.max(1, Math.min(MAX_TEXTS, grown, Math.floor(AIM_MS / this.#pace)))
  }

  /** A request has not been answered in time: the next one holds fewer texts, and takes longer for each than was thought. */
  timedOut(texts: number): void {
    this.#texts = Math.max(1, Math.floor(texts / SHRINKING))
    this.#pace = null
  }
}

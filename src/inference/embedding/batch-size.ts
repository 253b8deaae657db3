/**
 * Chooses the number of texts in a request to an embedding engine: as many as the engine can embed in a few seconds, as
 * measured. A server with a large model on a CPU takes seconds for one text, a server with a GPU a thousandth of that.
 * @module
 */

/** Maximum number of texts in one request, and the number in the first request to an engine of unknown speed. */
const MAX_TEXTS = 32
const FIRST_TEXTS = 4
/** Target duration of a request, in milliseconds. */
const AIM_MS = 10_000
/** After a timeout, the next request is smaller by this factor. */
const SHRINKING = 4

export class BatchSize {
  #texts = FIRST_TEXTS
  /** Milliseconds per text in the last request; null: unknown. */
  #pace: number | null = null

  /** Number of texts that can be embedded in the given milliseconds; 0: not even one. */
  within(milliseconds: number): number {
    return this.#pace === null ? this.#texts : Math.min(this.#texts, Math.floor(milliseconds / this.#pace))
  }

  /** Call after a request was answered. */
  answered(texts: number, milliseconds: number): void {
    this.#pace = Math.max(milliseconds, 1) / texts
    const grown = Math.max(this.#texts, texts * 2)
    this.#texts = Math.max(1, Math.min(MAX_TEXTS, grown, Math.floor(AIM_MS / this.#pace)))
  }

  /** Call after a request timed out: the next one has fewer texts, and the estimated time per text rises. */
  timedOut(texts: number): void {
    this.#texts = Math.max(1, Math.floor(texts / SHRINKING))
    this.#pace = null
  }
}

/**
 * Caches results for short texts that occur repeatedly.
 * @module
 */
export class Memo<T> {
  readonly #limit: number
  readonly #longest: number
  readonly #known = new Map<string, T>()

  /**
   * @param limit maximum number of cached texts; then the cache is cleared, because common texts return soon
   * @param longest maximum length of a cached text, in characters
   */
  constructor(limit: number, longest: number) {
    this.#limit = limit
    this.#longest = longest
  }

  /** The cached result for a text, or the result of `work`. */
  of(text: string, work: (text: string) => T): T {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    if (text.length > this.#longest) return work(text)
    const own = copyOf(text)
    const made = work(own)
    if (this.#known.size >= this.#limit) this.#known.clear()
    this.#known.set(own, made)
    return made
  }
}

/**
 * A copy of a text. A substring would keep its whole document in memory. V8 slices the joined text, which is not longer
 * than the copy; substrings of fewer than 13 characters are copies anyway.
 */
function copyOf(text: string): string {
  return ` ${text}`.slice(1)
}

/**
 * Remembers what was worked out of short texts that come again and again.
 * @module
 */
export class Memo<T> {
  readonly #limit: number
  readonly #longest: number
  readonly #known = new Map<string, T>()

  /**
   * @param limit texts remembered; beyond them it starts again, as what is common is soon back
   * @param longest characters of a text that is remembered
   */
  constructor(limit: number, longest: number) {
    this.#limit = limit
    this.#longest = longest
  }

  /** What is known of a text, or what `work` makes of it. */
  of(text: string, work: (text: string) => T): T {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    if (text.length > this.#longest) return work(text)
    // A piece of a document would keep the whole of it in memory: what is remembered is a copy.
    const own = Array.from(text).join('')
    const made = work(own)
    if (this.#known.size >= this.#limit) this.#known.clear()
    this.#known.set(own, made)
    return made
  }
}

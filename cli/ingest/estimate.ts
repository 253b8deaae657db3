/**
 * How much of the sending is done, by bytes of the files that have to be sent. Files that are unchanged or left out take no time, so they
 * count for nothing. Pure.
 * @module
 */

/** A file counts for no more bytes than this: larger ones are shortened or left out. */
const MAX_WEIGHT = 400_000

/** The work of one run. */
export class WorkEstimate {
  private readonly weights = new Map<string, number>()
  private readonly sending = new Set<string>()
  private total = 0
  private answered = 0
  private underWay = 0

  /** A file that has to be sent. */
  add(path: string, bytes: number): void {
    const weight = Math.min(bytes, MAX_WEIGHT)
    this.weights.set(path, weight)
    this.total += weight
  }

  /** It is cut and waits, or is on its way. */
  send(path: string): void {
    this.sending.add(path)
    this.underWay += this.weights.get(path) ?? 0
  }

  /** The coordinator has answered for it. */
  settle(path: string): void {
    const weight = this.weights.get(path) ?? 0
    if (this.sending.delete(path)) this.underWay -= weight
    this.answered += weight
  }

  /** It is left out after all. */
  drop(path: string): void {
    this.total -= this.weights.get(path) ?? 0
    this.weights.delete(path)
  }

  /**
   * Share of the work that is done, from 0 to 1; 0 until the first answer. Of what is under way half is done on average: without it the
   * first answer of several requests at once would promise that many times the time.
   */
  get share(): number {
    return this.answered === 0 ? 0 : (this.answered + this.underWay / 2) / this.total
  }
}

/**
 * Estimates the progress of sending by the bytes of the files to send. Unchanged and skipped files take no time, so
 * they don't count. Pure.
 * @module
 */

/** Maximum bytes counted for a file: larger ones are shortened or skipped. */
const MAX_WEIGHT = 400_000

/** The work of one run. */
export class WorkEstimate {
  private readonly weights = new Map<string, number>()
  private readonly sending = new Set<string>()
  private total = 0
  private answered = 0
  private underWay = 0

  /** Adds a file to send. */
  add(path: string, bytes: number): void {
    const weight = Math.min(bytes, MAX_WEIGHT)
    this.weights.set(path, weight)
    this.total += weight
  }

  /** The file was split, and is waiting or being sent. */
  send(path: string): void {
    this.sending.add(path)
    this.underWay += this.weights.get(path) ?? 0
  }

  /** The coordinator has answered for the file. */
  settle(path: string): void {
    const weight = this.weights.get(path) ?? 0
    if (this.sending.delete(path)) this.underWay -= weight
    this.answered += weight
  }

  /** The file is skipped after all. */
  drop(path: string): void {
    this.total -= this.weights.get(path) ?? 0
    this.weights.delete(path)
  }

  /**
   * Share of completed work, from 0 to 1; 0 until the first answer. Work in progress counts half, its average.
   * Otherwise, the first answer of several concurrent requests would multiply the estimated time.
   */
  get share(): number {
    return this.answered === 0 ? 0 : (this.answered + this.underWay / 2) / this.total
  }
}

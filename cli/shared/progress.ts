/**
 * Progress on standard error: a line that redraws itself on a terminal, a plain line every few seconds elsewhere.
 * @module
 */
import { count, duration, style } from './terminal.ts'

/** Where progress is written; standard error unless a test passes its own. */
export interface ProgressStream {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

/** How a progress display looks. */
export interface ProgressOptions {
  /** What is counted, in the plural: `files`. */
  noun: string
  total: number
  /** How many were done before, so that they say nothing about the rate. */
  from?: number
  stream?: ProgressStream
  /** Clock in milliseconds. */
  now?: () => number
}

const REDRAW_MS = 100
const PLAIN_MS = 5_000

/** Shows how far a job has come, its rate and the time left. */
export class Progress {
  private readonly options: Required<ProgressOptions>
  private readonly started: number
  private drawn: number
  private done = 0
  private share = 0
  private note = ''
  private shown = false

  constructor(options: ProgressOptions) {
    this.options = { from: 0, stream: process.stderr, now: () => performance.now(), ...options }
    this.started = this.options.now()
    this.drawn = this.started
  }

  /**
   * Reports the state; draws when it is time.
   * @param done - how many are done
   * @param note - shown at the end of the line, e.g. chunks so far
   * @param share - share of the work that is done, from 0 to 1, where the number done does not tell it; the time left follows from it,
   *   and is not shown at 0
   */
  update(
    done: number,
    note: string,
    share = (done - this.options.from) / (this.options.total - this.options.from),
  ): void {
    this.done = done
    this.share = share
    this.note = note
    const now = this.options.now()
    const interval = this.options.stream.isTTY ? REDRAW_MS : PLAIN_MS
    if (now - this.drawn < interval) return
    this.drawn = now
    this.draw(now)
  }

  /** Writes a line of its own above the progress. */
  message(text: string): void {
    this.clear()
    this.options.stream.write(`${text}\n`)
  }

  /** Takes the line away; the caller prints the report. */
  finish(): void {
    this.clear()
  }

  private clear(): void {
    if (this.shown) this.options.stream.write('\r\x1b[2K')
    this.shown = false
  }

  private draw(now: number): void {
    const { total, from, noun, stream } = this.options
    const seconds = Math.max(0.001, (now - this.started) / 1_000)
    const rate = (this.done - from) / seconds
    const left = this.share > 0 ? (seconds * (1 - this.share)) / this.share : Number.POSITIVE_INFINITY
    const share = total > 0 ? Math.min(1, this.done / total) : 1
    const parts = [`${count(this.done)}/${count(total)} ${noun}`, `${count(rate)}/s`, this.note]
    if (Number.isFinite(left) && this.done < total) parts.push(`${duration(left)} left`)
    const text = parts.filter(Boolean).join(' · ')
    if (!stream.isTTY) {
      stream.write(`${Math.floor(share * 100)}% · ${text}\n`)
      return
    }
    const width = Math.max(0, Math.min(24, (stream.columns ?? 80) - text.length - 8))
    const filled = Math.round(share * width)
    const bar = style('cyan', '━'.repeat(filled)) + style('gray', '─'.repeat(width - filled))
    const line = `${bar} ${String(Math.floor(share * 100)).padStart(3)}% ${text}`
    stream.write(`\r\x1b[2K${width > 0 ? line : text.slice(0, (stream.columns ?? 80) - 1)}`)
    this.shown = true
  }
}

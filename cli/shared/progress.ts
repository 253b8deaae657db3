/**
 * Progress on standard error: a redrawn line on a terminal, or a plain line every few seconds elsewhere.
 * @module
 */
import { count, duration, style } from './terminal.ts'

/** Output of the progress; default: standard error. Tests pass their own. */
export interface ProgressStream {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

/** Options of a progress display. */
export interface ProgressOptions {
  /** The counted things, in the plural: `files`. */
  noun: string
  total: number
  /** Number already done at the start, excluded from the rate. */
  from?: number
  stream?: ProgressStream
  /** Clock in milliseconds. */
  now?: () => number
}

const REDRAW_MS = 100
const PLAIN_MS = 5_000

/** Shows the progress of a job, its rate and the remaining time. */
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
   * Updates the state, and redraws if enough time has passed.
   * @param done - number done
   * @param note - shown at the end of the line, e.g. chunks so far
   * @param share - share of completed work, from 0 to 1, if it differs from the share of the number done; used for the
   *   remaining time, which is not shown at 0
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

  /** Writes a line above the progress line. */
  message(text: string): void {
    this.clear()
    this.options.stream.write(`${text}\n`)
  }

  /** Removes the progress line. The caller prints the report. */
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

/**
 * Text for terminals: colours that respect `NO_COLOR` and pipes, and readable numbers.
 * @module
 */
import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/**
 * Styles a text, unless the stream is not a colour terminal.
 * @param stream - the stream it is written to; messages and progress go to standard error
 */
export function style(format: Format, text: string, stream: NodeJS.WriteStream = process.stderr): string {
  return styleText(format, text, { stream })
}

/** An integer with thousands separators, e.g. `12,345`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** A count with its noun, e.g. `1 file`, `2 files`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** Seconds as `0.8 s`, `12 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 90) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

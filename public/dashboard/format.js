/**
 * Formats numbers and times for people. Unknown values are shown as unknown, never as zero.
 * @module
 */
import { h } from './dom.js'

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const UNKNOWN = 'unknown'
export const count = (value) => (value === null || value === undefined ? UNKNOWN : whole.format(value))
export const short = (value) =>
  value === null || value === undefined ? UNKNOWN : value < 10_000 ? whole.format(value) : compact.format(value)
export const percent = (value, digits = 0) =>
  value === null || value === undefined ? UNKNOWN : `${(100 * value).toFixed(digits)} %`
export const decimal = (value, digits = 2) => (value === null || value === undefined ? UNKNOWN : value.toFixed(digits))
export const bytes = (value) =>
  value < 1024
    ? `${value} B`
    : value < 1024 ** 2
      ? `${(value / 1024).toFixed(1)} KiB`
      : `${(value / 1024 ** 2).toFixed(1)} MiB`

/** `3 min ago`, with the full time as title. */
export function ago(time, now = Date.now()) {
  if (time === null || time === undefined) return h('span.unknown', {}, 'never')
  return h(
    'time.nowrap',
    { datetime: new Date(time).toISOString(), title: new Date(time).toLocaleString() },
    `${duration(now - time)} ago`,
  )
}

export function duration(ms) {
  if (ms === null || ms === undefined) return UNKNOWN
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/**
 * A number from the API with its name and raw value, so that it can be looked up and compared.
 * @param {string} name e.g. `stats.interactions`
 */
export function figure(name, value, text = count(value)) {
  const known = value !== null && value !== undefined
  return h(
    known ? 'span.figure' : 'span.figure.unknown',
    { 'data-figure': name, 'data-value': known ? value : 'unknown' },
    text,
  )
}

/** The beginning of a text. */
export function beginning(text, length = 90) {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > length ? `${line.slice(0, length - 1)}…` : line
}

/** Success rate, with a partial success counting half; null without outcomes. */
export function rateOf({ success, partial, failure }) {
  const known = success + partial + failure
  return known > 0 ? (success + partial / 2) / known : null
}

const COLOURS = { success: 'good', partial: 'fair', failure: 'bad' }
/** An outcome as a labelled badge. */
export const outcomeMark = (outcome) => h(`span.mark.${COLOURS[outcome] ?? 'none'}`, {}, outcome ?? 'no outcome')

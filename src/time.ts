/**
 * Durations in milliseconds.
 * @module
 */

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** The first of the latest `days` days (UTC), including today, as `2027-01-31`. */
export function daysAgo(now: number, days: number): string {
  return new Date(now - (days - 1) * DAY_MS).toISOString().slice(0, 10)
}

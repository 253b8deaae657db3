/**
 * Values stored in this browser. Works without storage too (private windows, blocked storage).
 * @module
 */

const PREFIX = 'hybrid-coordinator-'

/** The stored text, or the fallback. */
export function kept(name, fallback) {
  try {
    return localStorage.getItem(PREFIX + name) ?? fallback
  } catch {
    return fallback
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value)
  } catch {
    // The value is lost with the page.
  }
}

/** The stored value, or the fallback if no valid one is stored. */
export function keptJson(name, fallback) {
  try {
    return JSON.parse(kept(name, '')) ?? fallback
  } catch {
    return fallback
  }
}

export const keepJson = (name, value) => keep(name, JSON.stringify(value))

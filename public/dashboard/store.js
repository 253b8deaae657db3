/**
 * What this browser remembers. A browser that keeps nothing (private windows, blocked storage) works all the same.
 * @module
 */

const PREFIX = 'hybrid-coordinator-'

/** The kept text, or the fallback. */
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
    // It is forgotten with the page.
  }
}

/** The kept value, or the fallback when nothing valid is kept. */
export function keptJson(name, fallback) {
  try {
    return JSON.parse(kept(name, '')) ?? fallback
  } catch {
    return fallback
  }
}

export const keepJson = (name, value) => keep(name, JSON.stringify(value))

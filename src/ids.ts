/**
 * Identifiers: UUIDv7 for events (sorted by time), UUIDv5 for things (the same thing has the same id).
 * @module
 */
import { v5, v7, validate } from 'uuid'

/** Namespace of this project's UUIDv5 ids. */
const NAMESPACE = '6f3c1b52-4a0e-5d1f-9a5c-1f0c6a4e2b77'

/** A new time-ordered id (RFC 9562, version 7). */
export function newId(): string {
  return v7()
}

/**
 * The smallest id that can be created at or after a time: a UUIDv7 starts with its time, in milliseconds since 1970.
 */
export function leastIdAt(time: number): string {
  const hex = Math.max(0, Math.floor(time)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/**
 * The id of a knowledge item: UUIDv5 of project, collection and natural key, so that storing it twice changes nothing
 * (RFC 9562, version 5).
 */
export function itemId(project: string, collection: string, key: string): string {
  return v5(JSON.stringify([project, collection, key]), NAMESPACE)
}

/** Whether a text is a UUID of any version. */
export function isUuid(text: string): boolean {
  return validate(text)
}

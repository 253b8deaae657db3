/**
 * The chunker's model: a file is a sequence of units (functions, classes, sections, paragraphs) that partition its
 * text. A unit that is too large can be expanded into smaller units that partition it.
 * @module
 */

/** The kind of a unit or chunk. */
export type Kind =
  | 'function'
  | 'method'
  | 'class'
  | 'interface'
  | 'type'
  | 'enum'
  | 'impl'
  | 'module'
  | 'variable'
  | 'import'
  | 'statement'
  | 'comment'
  | 'section'
  | 'text'

/** A range of a file, `[start, end)` in UTF-16 code units. */
export interface Unit {
  start: number
  end: number
  kind: Kind
  /** Unqualified names defined here. */
  names: string[]
  /** Identity among its siblings: the name, or a digest of the first words. Must not depend on the body. */
  label: string
  /** How suitable the unit's start is for a split: 0 is best. */
  rank: number
  /** One line that describes the enclosing unit when a part of this unit is shown on its own. */
  signature?: string
  /** The documentation comment as written, with its markers. */
  doc?: string
  /** Whether it is not a scope: its parts are at the level of the enclosing unit. */
  transparent?: true
  /** Names of the members, if the unit is kept whole. */
  members?: () => string[]
  /** The units that this one consists of. With fewer than two, it can't be split along its structure. */
  expand?: () => Unit[]
}

/**
 * FNV-1a, 32 bits, over UTF-16 code units: a small stable hash for split priorities and labels (Fowler, Noll and Vo,
 * draft-eastlake-fnv, section 2). Not secure against forgery.
 */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  return hash >>> 0
}

/** A label for a unit without a name: eight hexadecimal digits of its first 60 characters, white space collapsed. */
export function labelOf(text: string, start: number, end: number): string {
  const words = text
    .slice(start, Math.min(end, start + 400))
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 60)
  return `~${fnv1a(words).toString(16).padStart(8, '0')}`
}

/** The start of the line that contains `offset`. */
export function lineStart(text: string, offset: number): number {
  return offset <= 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1
}

/** Collapses white space to single spaces and truncates to `limit` characters, with an ellipsis. */
export function oneLine(text: string, limit: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= limit) return line
  const cut = line.slice(0, limit - 1)
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`
}

/**
 * The chunker's model: a file is a sequence of units (a function, a class, a section, a paragraph) that partition its
 * text; a unit that is too large can be expanded into smaller units that partition it.
 * @module
 */

/** What a unit or chunk is. */
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

/** A stretch of a file, `[start, end)` in UTF-16 code units. */
export interface Unit {
  start: number
  end: number
  kind: Kind
  /** Names defined here, not qualified. */
  names: string[]
  /** Identity among its siblings: the name, or a digest of the first words. It must not depend on the body. */
  label: string
  /** How good a place the unit's start is to cut at: 0 is best. */
  rank: number
  /** One line that says what encloses a part of this unit when the part is shown alone. */
  signature?: string
  /** The documentation comment as written, with its comment marks. */
  doc?: string
  /** It is not what its parts belong to: they stand at the level of the unit around it. */
  transparent?: true
  /** Names of the members, when the unit is kept whole. */
  members?: () => string[]
  /** The units this one consists of; fewer than two means that it cannot be taken apart along its structure. */
  expand?: () => Unit[]
}

/**
 * FNV-1a, 32 bits, over UTF-16 code units: a small stable hash for cut priorities and labels (Fowler, Noll and Vo,
 * draft-eastlake-fnv, section 2). Not for anything that must resist forgery.
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

/** The offset of the start of the line that `offset` is on. */
export function lineStart(text: string, offset: number): number {
  return offset <= 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1
}

/** Collapses white space to single spaces and cuts at `limit` characters, with an ellipsis. */
export function oneLine(text: string, limit: number): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (line.length <= limit) return line
  const cut = line.slice(0, limit - 1)
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`
}

/**
 * Truncation of texts.
 * @module
 */

/** The beginning of a text, at most `length` UTF-16 code units. Never ends in half of a surrogate pair. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text
  const cut = text.slice(0, length)
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut
}

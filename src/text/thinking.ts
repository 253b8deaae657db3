/**
 * Sections of thinking in the answers of reasoning models. Pure functions.
 * @module
 */

/** Elements and marks in which reasoning models put what they think before they answer. */
const OPEN = /<(think|thinking|thought|reasoning|reflection|scratchpad)>|<\|channel\|>analysis<\|message\|>/i
const CODE = /^[^\S\n]*(?:```|~~~)/m

/**
 * An answer without its sections of thinking, trimmed; the same text when it has none. A section that is not closed goes on to the
 * end. Only sections at the beginning of the text, or of a line outside code, count: an answer may write about such elements.
 */
export function withoutThinking(text: string): string {
  let rest = text
  let kept = ''
  let found = false
  for (;;) {
    const match = OPEN.exec(rest)
    if (!match) break
    const before = rest.slice(0, match.index)
    const fences = (kept + before).match(new RegExp(CODE.source, 'gm'))?.length ?? 0
    const atStart = /(?:^|\n)[^\S\n]*$/.test(kept + before)
    const after = rest.slice(match.index + match[0].length)
    if (fences % 2 === 1 || !atStart) {
      kept += before + match[0]
      rest = after
      continue
    }
    found = true
    const close =
      match[1] === undefined ? /<\|(?:end|channel\|>final<\|message)\|>/i : new RegExp(`</${match[1]}>`, 'i')
    const end = close.exec(after)
    kept += before
    rest = end ? after.slice(end.index + end[0].length) : ''
  }
  return found ? (kept + rest).trim() : text
}

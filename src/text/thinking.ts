/**
 * Removes thinking sections from the answers of reasoning models. Pure functions.
 * @module
 */

/** Elements and markers that reasoning models put around their thinking. */
const OPEN = /<(think|thinking|thought|reasoning|reflection|scratchpad)>|<\|channel\|>analysis<\|message\|>/i
const CODE = /^[^\S\n]*(?:```|~~~)/m

/**
 * An answer without its thinking sections, trimmed; unchanged if it has none. An unclosed section extends to the end.
 * Only sections at the start of the text, or of a line outside code, count, because an answer may also write about such
 * elements.
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

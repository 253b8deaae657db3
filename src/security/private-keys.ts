/**
 * Finds private keys in PEM or PuTTY's format: complete, truncated at either end, encrypted, with line breaks written
 * as `\n` in a string, or encoded in base64 again.
 * @module
 */

/** Maximum length of a private key, in characters: more than 16,384 bits of RSA in PEM. */
const MAX_KEY = 20_000
/** A heading on its own, as in code that searches for keys, is followed by fewer characters than this. */
const MIN_BODY = 40

const BEGIN = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:/g
const END = /-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: [0-9a-f]{40,64}/g
/** Headers and base64 that may follow a heading. `\n` may be written as two characters. */
const OPEN_BODY =
  /(?:(?:\s|\\[nr])*(?:Proc-Type|DEK-Info|Comment|Version|Hash|Encryption|Public-Lines|Private-Lines|Key-Derivation|Argon2-\w+): ?[^\n\\]{0,200})*(?:\s|\\[nr]|[A-Za-z0-9+/=]){0,20000}/y
/** Occurs in a key in any notation, but not in code between two markers. */
const KEY_LINE = /[A-Za-z0-9+/]{40}/
/** Lines of base64 directly before an end marker whose beginning is missing. */
const BODY_BEFORE = /(?:^|[^A-Za-z0-9+/=\\])((?:[A-Za-z0-9+/=]{1,100}(?:\s|\\[nr]){1,4}){1,400})$/

/** Ranges of private keys in a text: UTF-16 offsets in order, `end` exclusive. */
export function privateKeys(text: string): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  const closings = [...text.matchAll(END)]
  let next = 0
  let kept = 0
  const closeBefore = (limit: number) => {
    for (; (closings[next]?.index ?? Number.POSITIVE_INFINITY) < limit; next++) {
      const closing = closings[next]
      if (!closing || closing.index < kept) continue
      const body = BODY_BEFORE.exec(text.slice(Math.max(kept, closing.index - MAX_KEY), closing.index))?.[1] ?? ''
      if (body.trim().length < MIN_BODY) continue
      kept = closing.index + closing[0].length
      found.push({ start: closing.index - body.length, end: kept })
    }
  }
  for (const begin of text.matchAll(BEGIN)) {
    if (begin.index < kept) continue
    closeBefore(begin.index)
    const body = begin.index + begin[0].length
    while ((closings[next]?.index ?? Number.POSITIVE_INFINITY) < body) next++
    const closing = closings[next]
    OPEN_BODY.lastIndex = body
    const open = body + (OPEN_BODY.exec(text)?.[0].length ?? 0)
    // Code that parses keys contains both markers, with other words between them.
    const closed =
      closing !== undefined &&
      closing.index - body <= MAX_KEY &&
      (open >= closing.index || KEY_LINE.test(text.slice(body, closing.index)))
    const end = closed ? closing.index + closing[0].length : open
    if (end - body < (closed ? closing[0].length + 4 : MIN_BODY)) continue
    found.push({ start: begin.index, end })
    kept = end
    if (closed) next++
  }
  closeBefore(Number.POSITIVE_INFINITY)
  return found
}

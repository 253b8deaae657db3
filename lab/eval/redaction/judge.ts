/**
 * Defines false alarms of redaction.
 *
 * Documentation contains many invented credentials, whose format doesn't distinguish them from real ones. So the rule
 * considers only the format: removing a value that could be a real credential is correct; removing a value that is
 * clearly marked as a placeholder, or that could not be a credential, is a false alarm. The rule was written before the
 * held-out packages were read.
 * @module
 */

/** A value that redaction removed. */
export interface Removed {
  readonly kind: string
  readonly value: string
}

/** The values that were removed from a text, in order. */
export function removedFrom(text: string, clean: string): Removed[] {
  const removed: Removed[] = []
  const parts = clean.split(/\[redacted (\w+)\]|(\[private\])/)
  let at = parts[0]?.length ?? 0
  for (let i = 1; i < parts.length; i += 3) {
    const after = parts[i + 2] ?? ''
    const last = i + 3 >= parts.length
    const end = last ? text.length - after.length : text.indexOf(after, at + 1)
    removed.push({ kind: parts[i] ?? 'private_span', value: text.slice(at, end) })
    at = end + after.length
  }
  return removed
}

/** Words in placeholder values. */
const STANDS_FOR =
  /example|sample|dummy|fake|mock|change.?me|change.?it|your|placeholder|passw|pwd|secret|token|user|foo|bar|test|demo|hunter2|xxx|\*\*\*|\.\.\.|…|[<>{}$]|%[sd(]|1234|abcd|qwerty|letmein/i
/** Minimum base64 characters of a PEM key. */
const MIN_KEY = 200
const MIN_LENGTH = 6
/** Minimum number of different characters; values with fewer are filler such as `0000-0000`. */
const MIN_DISTINCT = 5
/** Kinds that are detected by an adjacent name or by their position, not by an issuer's format. */
const BY_PLACE =
  /^(?:assigned_secret|url_password|connection_string_password|netrc_password|bearer_token|command_line_password|xml_secret|session_cookie|kubernetes_secret)$/

/** Whether a value, as written, could be a real credential. */
export function couldBeReal({ kind, value }: Removed): boolean {
  if (kind === 'private_span') return false
  if (kind === 'private_key' || kind === 'encoded_private_key') {
    return value.replace(/-----[A-Z ]+-----|[^A-Za-z0-9+/]/g, '').length >= MIN_KEY
  }
  if (new Set(value).size < MIN_DISTINCT || value.length < MIN_LENGTH) return false
  if (!BY_PLACE.test(kind)) return true
  return !STANDS_FOR.test(value) && /\p{L}/u.test(value) && /[^\p{L}\s_-]/u.test(value)
}

/**
 * Takes credentials and private spans out of text before it is stored. Pure functions, linear in the length of the text.
 * Only what is a credential by its looks is taken: knowledge full of holes teaches nothing.
 * @module
 */
import { SECRET_FORMS } from './secret-forms.ts'

/** How many of each kind were taken out; grows with every call that is given it. */
export type RedactionCounts = Record<string, number>

/** What stands where somebody marked a span with `<private>`. */
export const PRIVATE_PLACEHOLDER = '[private]'
const PRIVATE_KIND = 'private_span'
const KEY_KIND = 'private_key'

/** Every kind that may be counted. */
export const REDACTION_KINDS: readonly string[] = [
  ...new Set([PRIVATE_KIND, KEY_KIND, ...SECRET_FORMS.map(({ kind }) => kind)]),
]

/** Longest private key that is looked for, in characters: 16,384 bits of RSA in PEM with room to spare. */
const MAX_KEY = 20_000

/** Values that stand for a secret and are none. */
const PLACEHOLDER =
  /^(?:[*x.•_-]+|<.*>|\[.*|\{.*\}|\$.*|%.*%|your[-_ ].*|my[-_ ]?(?:secret|password|key|token).*|example.*|change[-_ ]?me.*|redacted.*|process\.env.*|os\.environ.*|null|undefined|true|false|placeholder.*|dummy.*|.*\$\{.*)$/i

/** Placeholder that is written in the place of a secret. */
export function placeholder(kind: string): string {
  return `[redacted ${kind}]`
}

/**
 * A text without its credentials and private spans. Redacting it again changes nothing.
 * @param counts grows by what was taken out, by kind
 */
export function redact(text: string, counts: RedactionCounts = {}): string {
  if (text.length < 8) return text
  let lower = text.toLowerCase()
  let result = text
  if (lower.includes('<private>')) result = withoutPrivateSpans(result, counts)
  if (lower.includes('private key') || lower.includes('putty-user-key')) result = withoutPrivateKeys(result, counts)
  if (result !== text) lower = result.toLowerCase()
  for (const { kind, words, pattern, group } of SECRET_FORMS) {
    if (!words.some((word) => lower.includes(word))) continue
    result = result.replace(pattern, (match: string, ...rest: unknown[]) => {
      const secret = group === undefined ? match : String(rest[group - 1])
      if (PLACEHOLDER.test(secret)) return match
      counts[kind] = (counts[kind] ?? 0) + 1
      const at = group === undefined ? 0 : match.lastIndexOf(secret)
      return `${match.slice(0, at)}${placeholder(kind)}${match.slice(at + secret.length)}`
    })
  }
  return result
}

/** Every text in a JSON value redacted, names of fields excepted; the value itself when there was nothing to take out. */
export function redactAll<T>(value: T, counts: RedactionCounts = {}): T {
  return walk(value, counts) as T
}

function walk(value: unknown, counts: RedactionCounts): unknown {
  if (typeof value === 'string') return redact(value, counts)
  if (Array.isArray(value)) {
    const items = value.map((item) => walk(item, counts))
    return items.some((item, at) => item !== value[at]) ? items : value
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const fields = entries.map(([name, field]) => [name, walk(field, counts)] as const)
  return fields.some(([, field], at) => field !== entries[at]?.[1]) ? Object.fromEntries(fields) : value
}

/**
 * Text without `<private>…</private>`. A span that is not closed reaches to the end: rather too much is lost than something
 * private kept. A tag in backticks is talked about, not used.
 */
function withoutPrivateSpans(text: string, counts: RedactionCounts): string {
  const parts: string[] = []
  let depth = 0
  let kept = 0
  for (const tag of text.matchAll(/(`?)<(\/?)private>/gi)) {
    const [whole, tick = '', slash = ''] = tag
    if (slash === '' && tick !== '' && depth === 0) continue
    if (slash === '') {
      if (depth++ > 0) continue
      parts.push(text.slice(kept, tag.index), PRIVATE_PLACEHOLDER)
      counts[PRIVATE_KIND] = (counts[PRIVATE_KIND] ?? 0) + 1
    } else if (depth > 0 && --depth === 0) {
      kept = tag.index + whole.length
    }
  }
  return parts.join('') + (depth > 0 ? '' : text.slice(kept))
}

/** Text without private keys in PEM or PuTTY's form, also such as are cut off or written with `\n` in a string. */
function withoutPrivateKeys(text: string, counts: RedactionCounts): string {
  const begins = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:/g
  const ends = /-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: [0-9a-f]{40,64}/g
  const closing = [...text.matchAll(ends)]
  const parts: string[] = []
  let kept = 0
  let next = 0
  for (const begin of text.matchAll(begins)) {
    if (begin.index < kept) continue
    const body = begin.index + begin[0].length
    while ((closing[next]?.index ?? Number.POSITIVE_INFINITY) < body) next++
    const end = closing[next]
    const closed = end !== undefined && end.index - body <= MAX_KEY
    const stop = closed ? end.index + end[0].length : body + openLength(text, body)
    // A heading alone, as in code that looks for keys, is no secret.
    if (stop - body < (closed ? end[0].length + 4 : 40)) continue
    parts.push(text.slice(kept, begin.index), placeholder(KEY_KIND))
    counts[KEY_KIND] = (counts[KEY_KIND] ?? 0) + 1
    kept = stop
  }
  return kept === 0 ? text : parts.join('') + text.slice(kept)
}

/** Length of the lines of base64 that follow a heading whose end is missing. */
function openLength(text: string, from: number): number {
  const lines = /(?:\s|\\[nr]|[A-Za-z0-9+/=]){0,20000}/y
  lines.lastIndex = from
  return lines.exec(text)?.[0].length ?? 0
}

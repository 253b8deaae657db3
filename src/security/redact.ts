/**
 * Removes credentials and private spans from text before it is stored. Pure functions, linear in the length of the
 * text. Only text that clearly looks like a credential is removed, so that the knowledge stays useful.
 * @module
 */
import { assignedSecrets, kubernetesSecrets, NAME_WORDS } from './assigned-secrets.ts'
import { privateKeys } from './private-keys.ts'
import { SECRET_FORMS } from './secret-forms.ts'
import { isPlaceholder, isWellKnown } from './secret-values.ts'
import { secretlintFindings } from './secretlint.ts'

/** Number of redactions by kind. Calls add to it. */
export type RedactionCounts = Record<string, number>

/** Replaces a span marked with `<private>`. */
export const PRIVATE_PLACEHOLDER = '[private]'
const PRIVATE_KIND = 'private_span'
const KEY_KIND = 'private_key'
const ASSIGNED_KIND = 'assigned_secret'
const KUBERNETES_KIND = 'kubernetes_secret'
const URL_KIND = 'url_password'
/** Kind of the credentials found by secretlint's rules in addition to those of this folder. */
const ISSUED_KIND = 'issued_credential'

/** Every kind that can be counted. */
export const REDACTION_KINDS: readonly string[] = [
  ...new Set([
    PRIVATE_KIND,
    KEY_KIND,
    ASSIGNED_KIND,
    KUBERNETES_KIND,
    ISSUED_KIND,
    ...SECRET_FORMS.map(({ kind }) => kind),
  ]),
]

/** The placeholder that replaces a secret. */
export function placeholder(kind: string): string {
  return `[redacted ${kind}]`
}

/**
 * Removes credentials and private spans from a text. Redacting the result again changes nothing.
 * @param counts increased by the number of redactions of each kind
 */
export function redact(text: string, counts: RedactionCounts = {}): string {
  if (text.length < 8) return text
  let result = text
  if (/private/i.test(result)) {
    result = withoutPrivateSpans(result, counts)
    result = without(result, privateKeys(result), KEY_KIND, counts)
  }
  const lower = result.toLowerCase()
  for (const { kind, words, pattern, group } of SECRET_FORMS) {
    if (!words.some((word) => lower.includes(word))) continue
    result = result.replace(pattern, (match: string, ...rest: unknown[]) => {
      const secret = group === undefined ? match : String(rest.slice(group - 1, -2).find((part) => part !== undefined))
      if (isPlaceholder(secret) || (kind === URL_KIND && isWellKnown(secret))) return match
      counts[kind] = (counts[kind] ?? 0) + 1
      const at = group === undefined ? 0 : match.lastIndexOf(secret)
      return `${match.slice(0, at)}${placeholder(kind)}${match.slice(at + secret.length)}`
    })
  }
  result = without(result, secretlintFindings(result), ISSUED_KIND, counts)
  if (/kind["']?\s*:\s*["']?Secret/.test(result)) {
    result = without(result, kubernetesSecrets(result), KUBERNETES_KIND, counts)
  }
  if (NAME_WORDS.some((word) => lower.includes(word))) {
    result = without(result, assignedSecrets(result), ASSIGNED_KIND, counts)
  }
  return result
}

/** Replaces each range of a text with a placeholder. */
function without(
  text: string,
  ranges: readonly { readonly start: number; readonly end: number }[],
  kind: string,
  counts: RedactionCounts,
): string {
  if (ranges.length === 0) return text
  const parts: string[] = []
  let kept = 0
  for (const { start, end } of ranges) {
    if (isPlaceholder(text.slice(start, end))) continue
    parts.push(text.slice(kept, start), placeholder(kind))
    counts[kind] = (counts[kind] ?? 0) + 1
    kept = end
  }
  return parts.join('') + text.slice(kept)
}

/** Redacts every text in a JSON value, except field names. Returns the same value if nothing was redacted. */
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
 * A `private` tag in any notation: with spaces or attributes, in either case, as entities. After a backtick, the tag is
 * only mentioned.
 */
const PRIVATE_TAG = /([`\w]?)(?:<|&lt;)\s{0,10}(\/?)\s{0,10}(private)(?=[\s/>&])((?:(?!&gt;)[^<>]){0,200})(?:>|&gt;)/gi
/** Nothing, or attributes: matches `<private reason="x">`, but not `<private key>`. */
const ATTRIBUTES = /^\s*(?:[\w-]+\s*=[\s\S]*)?\/?\s*$/

/**
 * Removes `<private>…</private>` from a text. An unclosed span extends to the end: removing too much is safer than too
 * little. A tag in backticks is only mentioned, and so are `<private key>` and type parameters if no span is closed.
 */
function withoutPrivateSpans(text: string, counts: RedactionCounts): string {
  const parts: string[] = []
  let depth = 0
  let kept = 0
  const tags = [...text.matchAll(PRIVATE_TAG)]
  const isClosed = tags.some(([, , slash]) => slash === '/')
  for (const tag of tags) {
    const [whole, before = '', slash = '', name = '', rest = ''] = tag
    if (slash === '') {
      const isTalkedAbout = before === '`' || (!isClosed && (isTypeParameter(before, name) || !ATTRIBUTES.test(rest)))
      if (isTalkedAbout && depth === 0) continue
      if (depth++ > 0) continue
      parts.push(text.slice(kept, tag.index + (before === '`' ? 0 : before.length)), PRIVATE_PLACEHOLDER)
      counts[PRIVATE_KIND] = (counts[PRIVATE_KIND] ?? 0) + 1
    } else if (depth > 0 && --depth === 0) {
      kept = tag.index + whole.length
    }
  }
  return parts.join('') + (depth > 0 ? '' : text.slice(kept))
}

/** `Options<Private>` in code: a capital letter directly after a name. */
function isTypeParameter(before: string, name: string): boolean {
  return /\w/.test(before) && /^P/.test(name)
}

/**
 * Finds credentials in text and puts placeholders in their place. Pure functions. Only forms that are credentials by their
 * looks are taken: a dataset full of holes teaches nothing.
 * @module
 */

interface SecretForm {
  readonly kind: string
  readonly pattern: RegExp
  /** Group of the pattern that holds the secret; 0: the whole match. */
  readonly group: number
}

/** Issuers' published prefixes and lengths, then forms that name themselves. Order matters: the first form to match wins. */
const FORMS: readonly SecretForm[] = [
  {
    kind: 'private_key',
    pattern:
      /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY(?: BLOCK)?-----[\s\S]{1,20000}?-----END (?:[A-Z]+ )?PRIVATE KEY(?: BLOCK)?-----/g,
    group: 0,
  },
  { kind: 'aws_access_key', pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g, group: 0 },
  { kind: 'github_token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b/g, group: 0 },
  { kind: 'gitlab_token', pattern: /\bglpat-[A-Za-z0-9_-]{20,64}/g, group: 0 },
  { kind: 'slack_token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,250}/g, group: 0 },
  { kind: 'google_api_key', pattern: /\bAIza[A-Za-z0-9_-]{35}/g, group: 0 },
  { kind: 'stripe_key', pattern: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}\b/g, group: 0 },
  { kind: 'model_provider_key', pattern: /\bsk-(?:ant-|proj-|or-v1-)?[A-Za-z0-9_-]{20,250}/g, group: 0 },
  { kind: 'npm_token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g, group: 0 },
  { kind: 'hugging_face_token', pattern: /\bhf_[A-Za-z0-9]{34,40}\b/g, group: 0 },
  {
    kind: 'json_web_token',
    pattern: /\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{4,8000}\.[A-Za-z0-9_-]{10,2000}/g,
    group: 0,
  },
  {
    kind: 'url_password',
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>]{1,100}:([^\s/@"'<>]{3,200})@/gi,
    group: 1,
  },
  {
    kind: 'bearer_token',
    pattern: /\bauthorization\s*[:=]\s*["']?(?:bearer|basic|token)\s+([A-Za-z0-9+/=._~-]{12,4000})/gi,
    group: 1,
  },
  {
    kind: 'assigned_secret',
    pattern:
      /\b[\w.-]{0,60}(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key)["']?\s{0,10}[:=]\s{0,10}["']([^"'\s]{8,500})["']/gi,
    group: 1,
  },
]

/** Values that stand for a secret and are none. */
const PLACEHOLDER =
  /^(?:[*x.•]+|<.*>|\[.*\]|\{.*\}|\$.*|%.*%|your[-_ ].*|example.*|changeme.*|redacted.*|process\.env.*|null|undefined)$/i

/** Placeholder that is written in the place of a secret. */
export function placeholder(kind: string): string {
  return `[redacted ${kind}]`
}

/**
 * A text without its credentials.
 * @param counts grows by the number of credentials of each kind
 */
export function redact(text: string, counts: Record<string, number>): string {
  let result = text
  for (const { kind, pattern, group } of FORMS) {
    result = result.replace(pattern, (match: string, ...rest: unknown[]) => {
      const secret = group === 0 ? match : String(rest[group - 1])
      if (PLACEHOLDER.test(secret)) return match
      counts[kind] = (counts[kind] ?? 0) + 1
      const at = group === 0 ? 0 : match.lastIndexOf(secret)
      return `${match.slice(0, at)}${placeholder(kind)}${match.slice(at + secret.length)}`
    })
  }
  return result
}

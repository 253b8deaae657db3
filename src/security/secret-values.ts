/**
 * Whether a value that is assigned to a name such as `password` or `api_key` is a credential, or code, prose or a placeholder.
 * @module
 */

/** Values that stand for a secret and are none. */
const PLACEHOLDER =
  /^(?:[*x.•_-]+|<.*>|\[.*|\{.*\}|\$.*|%.*%|@\w.*|![a-z]+|your[-_ ].*|my[-_ ]?(?:secret|password|key|token).*|example.*|.*[-_.]example|.*EXAMPLE(?:KEY)?|change[-_ ]?me.*|redacted.*|process\.env.*|os\.environ.*|pass(?:word)?|pwd|user(?:name)?|secret|token|0x[\da-f]+|null|none|nil|undefined|true|false|placeholder.*|dummy.*|fake.*|sample.*|insert.*|replace.*|todo.*|.*\$\{.*|.*\{\{.*)$/i

/** Passwords of tests and tutorials. */
const WELL_KNOWN =
  /^(?:test|demo|foo|bar|baz|some|secret|passw(?:or|0r)?d|pass|pwd|admin|root|user|guest|changeit|letmein|hunter|sesame|qwerty|token|key|abc|s3cr3t|p[a@4]ssw[o0]rd)[\w!@#$.-]{0,12}$|^(\d)\1*$|^0?1?234567?8?9?0?$/i

/** Names joined by dots, dashes, colons or slashes, without a digit: an identifier, a key of translations, a path. */
const WORDS = /^[A-Za-z_$][A-Za-z_$]*(?:[\s.\-/:,]{1,2}[A-Za-z_$]+)*[.!?:]?$/

/** What can only be code when it is not quoted. */
const CODE =
  /[(){}[\];<>|\\]|=>|::|\?\.|^(?:self|this|args|opts|options|config|settings|os|env|props|req|request|res)\b[.[]/

/** How sure a name makes that its value is a secret. */
export type NameStrength = 'password' | 'key'

/** Whether a value stands for a secret and is none. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || value.includes('[redacted ') || value.includes('[private]')
}

/**
 * Whether the value of a name is a credential.
 * @param strength `password`: chosen by people, so a digit or a symbol is enough; `key`: made by machines, so it has a long random part
 * @param quoted between quotation marks; without them code is possible
 */
export function isSecretValue(value: string, strength: NameStrength, quoted: boolean): boolean {
  if (value.length < 4 || value.length > 4_000 || isPlaceholder(value) || WELL_KNOWN.test(value)) return false
  if (WORDS.test(value) || (!quoted && CODE.test(value))) return false
  if (strength === 'key') return value.length >= 12 && !/\s/.test(value) && hasRandomPart(value)
  if (/^[\d.,_]+$/.test(value)) return quoted && /^\d{4,}$/.test(value)
  return value.split(/\s+/).some(hasDigitOrSymbol)
}

/** A run of letters and digits that no person would write: at least eight characters, two digits or more among them. */
export function hasRandomPart(value: string): boolean {
  return (value.match(/[A-Za-z0-9+/]{8,4000}/g) ?? []).some(
    (run) => /[A-Za-z]/.test(run) && (run.match(/\d/g) ?? []).length >= 2 && !/^[a-z]+_?\d{1,4}$/i.test(run),
  )
}

/** A letter beside a digit or a symbol, as in no word of a sentence. */
function hasDigitOrSymbol(word: string): boolean {
  return word.length >= 4 && /\p{L}/u.test(word) && /\d|[!@#$^&*+=~?%](?!$)|[!@#$^&*+=~%]$/.test(word)
}

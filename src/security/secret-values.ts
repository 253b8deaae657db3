/**
 * Decides whether a value assigned to a name such as `password` or `api_key` is a credential, or code, prose or a
 * placeholder.
 * @module
 */
import { isUnlikeWords } from './letter-pairs.ts'

/** Placeholders for secrets. */
const PLACEHOLDER =
  /^(?:[*x.•_-]+|<.*>|\[.*|\{.*\}|\$.*|%.*%|@\w.*|![a-z]+|your[-_ ].*|my[-_ ]?(?:secret|password|key|token).*|example.*|.*[-_.]example|.*EXAMPLE(?:KEY)?|change[-_ ]?me.*|redacted.*|process\.env.*|os\.environ.*|pass(?:word)?|pwd|user(?:name)?|secret|token|0x[\da-f]+|null|none|nil|undefined|true|false|placeholder.*|dummy.*|fake.*|sample.*|insert.*|replace.*|todo.*|.*\$[{(].*|.*(?:\.\.\.|…)|"?\s*\+.*\+\s*"?|.*\{\{.*)$/i

/** Passwords from tests and tutorials. */
const WELL_KNOWN =
  /^(?:test|demo|foo|bar|baz|some|secret|passw(?:or|0r)?d|pass|pwd|admin|root|user|guest|changeit|letmein|hunter|sesame|qwerty|token|key|abc|s3cr3t|p[a@4]ssw[o0]rd)[\w!@#$.-]{0,12}$|^(\d)\1*$|^0?1?234(?:5(?:6(?:7(?:8(?:90?)?)?)?)?)?$|^(?:[a-z]+[_-])?(?:pass(?:word|wd)?|secret|token|key|user)(?:[_-][a-z]+)?[_-]?\d{0,4}$|^[a-z]{2,12}(?:password|secret)$/i

/** Names joined by dots, dashes, colons or slashes, without digits: an identifier, a translation key, a path. */
const WORDS = /^[A-Za-z_$][A-Za-z_$]*(?:[\s.\-/:,]{1,2}[A-Za-z_$]+)*[.!?:]?$/

/** A version, a name or address without a secret, a template, an expression between two strings. */
const NO_SECRET =
  /^(?:[v^~]?\d{1,6}\.\d{1,6}\.\d{1,6}(?:[-+][\w.-]+)?|urn:.*|[a-z][a-z0-9+.-]{1,20}:\/\/(?![\s\S]*[A-Za-z0-9]{16}).*|.*\{[A-Za-z_]\w*\}.*)$/i

/** Can only be code if it is not quoted. */
const CODE =
  /[(){}[\];<>|\\]|=>|::|\?[.?]|^!|^[A-Za-z_$][\w$]*(?:[Cc]redential|[Tt]oken|[Kk]ey|[Ss]ecret|[Pp]assword)s?$|^(?:self|this|args|opts|options|config|settings|os|env|props|req|request|res)\b[.[]/

/** Minimum length of a machine-generated value, in characters. */
const MIN_KEY = 16
/** Maximum number of words in a passphrase; more words are a sentence. */
const MAX_PASSWORD_WORDS = 5

/** `secp256k1.utils.randomPrivateKey`: names joined by dots with few digits, none longer than typical names. */
const PATH = /^(?!(?:[^\d]*\d){5})[A-Za-z_$][\w$]{0,23}(?:\.[A-Za-z_$][\w$]{0,23})+$/

/** How strongly a name indicates that its value is a secret. */
export type NameStrength = 'password' | 'key'

/** Whether a value is a placeholder for a secret. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || value.includes('[redacted ') || value.includes('[private]') || isSequence(value)
}

/** Whether a value is known from tutorials, such as `foobar` or `secret_1234`. */
export function isWellKnown(value: string): boolean {
  return WELL_KNOWN.test(value)
}

/** Minimum length of an ascending run that does not occur in random text. */
const LONG_RUN = 8
/** The same digit or `x`, repeated more often than in random text. */
const REPEATED = /([0-9xX])\1{7}/

/**
 * Whether a value is filler such as `1234abcd-1234`, or contains `abcdefgh` or `00000000`: half of it, or a long run,
 * is an ascending sequence.
 */
function isSequence(value: string): boolean {
  if (value.length > 200) return false
  if (REPEATED.test(value)) return true
  let run = 1
  let counted = 0
  let letters = 0
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (/[A-Za-z0-9]/.test(value[at] ?? '')) letters++
    const next = value.charCodeAt(at + 1)
    if (next === code + 1) {
      run++
      continue
    }
    if (run >= LONG_RUN) return true
    if (run >= 4) counted += run
    run = 1
  }
  return letters >= 8 && counted * 2 >= letters
}

/**
 * Whether the value assigned to a name is a credential.
 * @param strength `password`: chosen by people, so a digit or a symbol is enough; `key`: machine-generated, so it has a
 *   long random part
 * @param quoted whether the value is in quotation marks; without them it can be code
 */
export function isSecretValue(value: string, strength: NameStrength, quoted: boolean): boolean {
  if (value.length < 4 || value.length > 4_000 || isPlaceholder(value) || WELL_KNOWN.test(value)) return false
  if (NO_SECRET.test(value) || isWords(value, strength) || (!quoted && (CODE.test(value) || PATH.test(value))))
    return false
  if (strength === 'key') return value.length >= MIN_KEY && !/\s/.test(value) && hasRandomPart(value)
  if (/^[\d.,_]+$/.test(value)) return quoted && /^\d{4,}$/.test(value)
  const words = value.split(/\s+/)
  return words.length <= MAX_PASSWORD_WORDS && words.some(hasDigitOrSymbol)
}

/**
 * A run of letters and digits that people don't write: at least eight characters, including at least two digits, or
 * letters in an order that doesn't occur in words. Or several short runs (`9Qu4Aw_Sq2xbz-d-mPCT`) for which this is
 * true together.
 */
export function hasRandomPart(value: string): boolean {
  if (/^(?=.*\d)[\w.~-]{16,200}$/.test(value) && (isUnlikeWords(value) || alternates(value))) return true
  return (value.match(/[A-Za-z0-9+/]{8,4000}/g) ?? []).some(
    (run) =>
      /[A-Za-z]/.test(run) &&
      (((run.match(/\d/g) ?? []).length >= 2 && !/^[a-z]+_?\d{1,4}$/i.test(run)) || isUnlikeWords(run)),
  )
}

/**
 * Names without digits. A machine-generated key in mixed case may have none by chance, but the order of its letters is
 * unlike words.
 */
function isWords(value: string, strength: NameStrength): boolean {
  if (!WORDS.test(value)) return false
  return strength === 'password' || !(value.match(/(?=[A-Z]{0,60}[a-z])[A-Za-z]{16,4000}/g) ?? []).some(isUnlikeWords)
}

/** Letters and digits that alternate more often than in names with versions and sizes (`base64-utf8-v2`). */
function alternates(value: string): boolean {
  return (value.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g) ?? []).length >= 6
}

/** A letter with a digit or a symbol, which words of a sentence don't have. */
function hasDigitOrSymbol(word: string): boolean {
  return word.length >= 4 && /\p{L}/u.test(word) && /\d|[!@#$^&*+=~?%](?!$)|[!@#$^&*+=~%]$/.test(word)
}

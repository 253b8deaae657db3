/**
 * Finds secrets by their names: assignments in the syntax of environment files, YAML, JSON (also JSON in a JSON
 * string), TOML, INI, code, headers, URLs and shell flags. One regular expression finds the names; a parser reads the
 * values, so the time is linear.
 * @module
 */
import { isSecretValue, type NameStrength } from './secret-values.ts'

/** A secret in a text: UTF-16 offsets, `end` exclusive. */
export interface AssignedSecret {
  readonly start: number
  readonly end: number
}

const PASSWORD_WORDS = 'password|passwd|pwd|passphrase|passcode|(?<![a-z])pass(?=[=:])'
const KEY_WORDS =
  'secret|(?:api|app|access|account|auth|authentication|application|consumer|encryption|signing|private|secret|master|service|session|shared|license|storage)[_. -]?(?:access[_. -]?)?key|key[_-]?data|token|credentials?|_auth|(?<=[A-Z0-9]_)key'
const NAMED = `(?:(${PASSWORD_WORDS})|(${KEY_WORDS}))(?:_?\\d{1,2})?`
/** A name and an assignment operator. */
const ASSIGNMENT = new RegExp(`${NAMED}(\\\\{0,3}["'\`]?\\]?)[ \\t]{0,10}(:=|=>|[:=])(?![=~>])[ \\t]{0,10}`, 'gi')
/**
 * A name and other text before its value: `value: …` on the next line, a comma (`setenv("API_KEY", "…")`), `--body`,
 * "the API key is …", a little code before a quotation mark (`apiKey: string = "…"`, `SecretStr("…")`, `:api-key "…"`),
 * a space (`set -x API_KEY …`).
 */
const APART = new RegExp(
  `${NAMED}(?:["']?,?\\s{1,80}["']?value["']?[ \\t]{0,5}[:=]|\\\\{0,3}["'][ \\t]{0,5},(?=\\s{0,40}\\\\{0,3}["'])\\s{0,40}|[ \\t]--(?:body|value)[ =]|(?:[ \\t]{1,5}[\\w.-]{1,20}){0,4}[ \\t]{1,5}(?:is|was|of)(?:[ \\t]|:)|["']?[^"'\`\\n;,]{1,40}(?=["'\`])|[ \\t]{1,5}(?=[A-Z0-9][A-Z0-9_-]{14}))[ \\t]{0,10}`,
  'gi',
)
/** Every text with a matching name contains at least one of these. */
export const NAME_WORDS: readonly string[] = ['pass', 'pwd', 'secret', 'key', 'token', 'credential', '_auth']

const MAX_VALUE = 4_000
/** All secrets that are assigned to a name, in order. */
export function assignedSecrets(text: string): AssignedSecret[] {
  const found: AssignedSecret[] = []
  ASSIGNMENT.lastIndex = 0
  for (let name = ASSIGNMENT.exec(text); name; name = ASSIGNMENT.exec(text)) {
    const value = readValue(text, ASSIGNMENT.lastIndex, false)
    if (!value || isLabel(text, name, value)) continue
    const secret = text.slice(value.start, value.end)
    const before = nameBefore(text, name)
    if (isOtherKey(before, name)) continue
    const strength: NameStrength = name[1] ? 'password' : 'key'
    if (!isSecretValue(secret, strength, value.quoted) && !isEnvironmentValue(before, name, secret, value.quoted))
      continue
    found.push({ start: value.start, end: value.end })
    ASSIGNMENT.lastIndex = value.end
  }
  return [...found, ...secretsApart(text, found)].sort((a, b) => a.start - b.start)
}

/** Secrets further away from their names. They must look machine-generated, whatever the name. */
function secretsApart(text: string, known: readonly AssignedSecret[]): AssignedSecret[] {
  const found: AssignedSecret[] = []
  let next = 0
  APART.lastIndex = 0
  for (let name = APART.exec(text); name; name = APART.exec(text)) {
    const at = APART.lastIndex
    const value = readValue(text, at, true)
    // The search continues after the name, because the code in between may contain another one.
    APART.lastIndex = name.index + (name[1] ?? name[2] ?? '').length
    if (!value || isListed(text, name)) continue
    const before = nameBefore(text, name)
    if (isOtherKey(before, name)) continue
    if (!value.quoted && /^\w+[ \t]+$/.test(name[0]) && !ENVIRONMENT_NAME.test(`${before}${name[0].trim()}`)) continue
    if (!isSecretValue(text.slice(value.start, value.end), 'key', value.quoted)) continue
    while ((known[next]?.end ?? Number.POSITIVE_INFINITY) <= value.start) next++
    if ((known[next]?.start ?? Number.POSITIVE_INFINITY) >= value.end)
      found.push({ start: value.start, end: value.end })
    APART.lastIndex = value.end
  }
  return found
}

/** The part of a name before the matched word: `DB_`, `spring.datasource.`. */
function nameBefore(text: string, name: RegExpExecArray): string {
  return /[\w.$-]{0,64}$/.exec(text.slice(Math.max(0, name.index - 64), name.index))?.[0] ?? ''
}

/** Environment variables whose values are secret. */
const ENVIRONMENT_NAME = /^[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|SECRET)$/
/** Keys that are public, or that are identifiers. */
const OTHER_KEY = /(?:^|_)(?:PUBLIC|PUB|CACHE|SORT|PRIMARY|FOREIGN|PARTITION|SITE|STORAGE|LOCAL|QUERY|ROW|INDEX)_$/

/**
 * Whether a name ends with only the word `KEY` and doesn't refer to a secret: `STRIPE_KEY` does, `sort_key` doesn't.
 */
function isOtherKey(before: string, name: RegExpExecArray): boolean {
  const word = name[2] ?? ''
  return /^key$/i.test(word) && (!ENVIRONMENT_NAME.test(before + word) || OTHER_KEY.test(before))
}

interface Value {
  readonly start: number
  readonly end: number
  readonly quoted: boolean
}

const QUOTE = /[bruf]?(\\{0,3}["'`])/iy
const UNQUOTED = /[^\s"'`<>,;&|(){}[\]]{4,4000}/y
/** Allowed text after a value on its line: nothing, a comment, a separator, another assignment. */
const REST_OF_LINE = /[^\S\n]{0,20}(?:(?:[#;,&"'<`|)\]}\\]|\/\/|[\w-]{1,40}=)[^\n]{0,300}|)(?:\r?\n|$)/y

/**
 * The value that starts at a position; null if none there could be a secret.
 * @param inProse words may follow the value on its line
 */
function readValue(text: string, at: number, inProse: boolean): Value | null {
  QUOTE.lastIndex = at
  const quote = QUOTE.exec(text)
  if (quote) {
    const mark = quote[1] ?? ''
    const start = QUOTE.lastIndex
    const end = closingQuote(text, start, mark)
    return end < 0 ? null : { start, end, quoted: true }
  }
  UNQUOTED.lastIndex = at
  const word = UNQUOTED.exec(text)
  if (!word) return null
  const end = at + word[0].length
  // `token = base64.b64encode(…)`: a call.
  if (text[end] === '(') return null
  if (inProse) return { start: at, end, quoted: false }
  // Prose continues after the word: `password: 8 characters or more`. Allowed text after a value ends the line or
  // separates the value.
  REST_OF_LINE.lastIndex = end
  const followed = /\s/.test(text[end] ?? '') && !REST_OF_LINE.test(text)
  return followed && text[at - 1] !== '=' ? null : { start: at, end, quoted: false }
}

/** Position of the next unescaped occurrence of the same quotation mark on the line, or -1. */
function closingQuote(text: string, start: number, mark: string): number {
  const limit = Math.min(text.length, start + MAX_VALUE)
  for (let at = start; at < limit; at++) {
    if (text[at] === '\n') return -1
    if (text.startsWith(mark, at)) return at
    if (mark.length === 1 && text[at] === '\\') at++
  }
  return -1
}

/**
 * `DB_PASSWORD=letmein`: an upper-case name with `=` directly before a word. In an environment file, the word is not an
 * identifier.
 */
function isEnvironmentValue(before: string, name: RegExpExecArray, value: string, quoted: boolean): boolean {
  const whole = before + name[0].slice(0, name[0].search(/[\\"'`\]\s:=]/))
  // A passphrase: `DB_PASSWORD = "correct-horse-battery"`.
  if (quoted)
    return name[1] !== undefined && /^[A-Z][A-Z0-9_]{3,}$/.test(whole) && /^[a-z]{3,}(?:-[a-z]{3,}){2,}$/.test(value)
  return (
    name[0].endsWith('=') &&
    /^[A-Z][A-Z0-9_]{3,}$/.test(whole) &&
    /^[\w.!@#%^*+~-]{6,}$/.test(value) &&
    isSecretValue(`${value}0`, 'password', true) &&
    !/^[A-Z_]+$/.test(value)
  )
}

/**
 * `["token", "apiKey"]`: a list of names. There is a comma between a name and its value only in the arguments of a
 * call.
 */
function isListed(text: string, name: RegExpExecArray): boolean {
  if (!name[0].includes(',') || /value["']?[ \t]*[:=]/.test(name[0])) return false
  return !/\(\s{0,20}\\{0,3}["'][\w.$ -]{0,64}$/.test(text.slice(Math.max(0, name.index - 100), name.index))
}

/** `"Password:"`: a text that ends with the name. The text after its closing quotation mark is code. */
function isLabel(text: string, name: RegExpExecArray, value: Value): boolean {
  if (!value.quoted || name[3] !== '') return false
  const mark = text[value.start - 1]
  const line = text.slice(Math.max(0, name.index - 100), name.index)
  return (
    line
      .split('\n')
      .at(-1)
      ?.split(mark ?? '"').length === 2 || /^[,);]/.test(text.slice(value.start, value.start + 1))
  )
}

/** `kind: Secret`, anywhere in a line. */
const SECRET_KIND = /\bkind["']?[ \t]*:[ \t]*["']?Secret\b/
/** A line of YAML. Line ends can also be written as `\n` in a string. */
const LINE = /([^\n\\]|\\(?!n)){0,4000}(?:\n|\\n|$)/g
const ENTRY = /^\s{1,40}["']?[\w.-]{1,100}["']?\s{0,5}:\s{1,5}["']?([^\s"'#|>\\]{4,4000})/

/** Values under `data` and `stringData` in YAML of `kind: Secret`, all of which are secrets, in order. */
export function kubernetesSecrets(text: string): AssignedSecret[] {
  const found: AssignedSecret[] = []
  let start = 0
  for (const document of text.split(/^---/m)) {
    if (SECRET_KIND.test(document)) {
      let block = -1
      for (const { 0: line, index } of document.matchAll(LINE)) {
        if (line === '') break
        const indent = line.search(/\S/)
        if (/^\s*(?:data|stringData)\s*:\s*(?:\\n)?$/.test(line)) block = indent
        else if (indent >= 0 && indent <= block) block = -1
        else if (block >= 0) {
          const value = ENTRY.exec(line)
          const secret = value?.[1]
          if (secret && !secret.startsWith('[redacted') && !secret.startsWith('$')) {
            const from = start + index + (value?.[0].length ?? 0) - secret.length
            found.push({ start: from, end: from + secret.length })
          }
        }
      }
    }
    start += document.length + 3
  }
  return found
}

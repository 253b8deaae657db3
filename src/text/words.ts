/**
 * Splits text into lower-case words, for the embedder and the query analysis.
 * @module
 */

/** A run of letters, marks and digits. An apostrophe inside a word does not end it. */
const RUN = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu

/** Where an identifier changes case or kind: `getUser|Name`, `HTTP|Server`, `utf|8`. */
const BOUNDARY = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})/gu

const ASCII = /^\p{ASCII}*$/u

/** Whether a text has only ASCII characters. Then it needs no folding. */
export function isAscii(text: string): boolean {
  return ASCII.test(text)
}

/** {@link RUN} and {@link BOUNDARY} for ASCII text, which needs no folding. Several times as fast. */
const ASCII_RUN = /[A-Za-z0-9]+(?:'[A-Za-z]+)*/g
const ASCII_BOUNDARY = /(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])/g
const PLAIN_RUN = /^(?:[A-Z]?[a-z]+|[A-Z]+|[0-9]+)$/

/**
 * Ligatures of whole Arabic phrases, which NFKC expands to 18 and 8 characters. Every other character expands to at
 * most 7.
 */
const PHRASE_LIGATURES = /[\ufdfa\ufdfb]/g

/** Maximum growth of a folded text. Only text of compatibility characters (`㌖`) would grow more. */
export const MAX_GROWTH = 2
/** Folded texts up to this length are never truncated: a question may be a single such character. */
const MIN_FOLDED = 64

/**
 * Normalises text for matching: replaces ligatures of phrases with spaces (so that a text grows at most sevenfold),
 * applies Unicode NFKC, and removes accents and other combining marks of Latin, Greek and Cyrillic. Marks of other
 * scripts represent vowels and are kept.
 * @returns at most twice as many UTF-16 code units as the text has, or 64; the rest is truncated
 */
export function foldText(text: string): string {
  return fold(text).text
}

/** {@link foldText}, and whether the text was truncated. */
export function fold(text: string): { text: string; truncated: boolean } {
  const folded = text
    .replace(PHRASE_LIGATURES, ' ')
    .normalize('NFKD')
    .replace(/(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{M}+/gu, '')
    .normalize('NFC')
  const limit = Math.max(MIN_FOLDED, MAX_GROWTH * text.length)
  const truncated = folded.length > limit
  return { text: truncated ? folded.slice(0, limit).toWellFormed() : folded, truncated }
}

/**
 * The lower-case words of a text in order. Identifiers are split at camelCase, PascalCase, snake_case, kebab-case,
 * dots, slashes and letter-digit boundaries, so that `getUserName`, `get_user_name` and "get user name" give the same
 * three words.
 * @example words('parseHTTPResponse2') // ['parse', 'http', 'response', '2']
 */
export function words(text: string): string[] {
  const found: string[] = []
  if (isAscii(text)) {
    for (const run of text.match(ASCII_RUN) ?? []) {
      if (PLAIN_RUN.test(run)) found.push(run.toLowerCase())
      else for (const part of run.split(ASCII_BOUNDARY)) found.push(part.toLowerCase())
    }
    return found
  }
  for (const [run] of foldText(text).matchAll(RUN)) {
    for (const part of run.split(BOUNDARY)) found.push(part.toLowerCase())
  }
  return found
}

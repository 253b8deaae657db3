/**
 * Splits text into lower-cased words, the unit that the embedder and the query analysis share.
 * @module
 */

/** A run of letters, marks and digits; an apostrophe inside a word does not end it. */
const RUN = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu

/** Where an identifier changes case or kind: `getUser|Name`, `HTTP|Server`, `utf|8`. */
const BOUNDARY = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})/gu

/** Ligatures of whole Arabic phrases, for which NFKC writes 18 and 8 characters; every other character becomes 7 at most. */
const PHRASE_LIGATURES = /[\ufdfa\ufdfb]/g

/** A folded text is at most this many times as long as it was; only text made of compatibility characters (`㌖`) would be longer. */
const MAX_GROWTH = 2
/** A shorter folded text is never cut: a question may be one such character. */
const MIN_FOLDED = 64

/**
 * Normalises text for matching: ligatures of phrases become spaces (so that a text grows no more than sevenfold), Unicode NFKC, then accents and other combining marks of Latin, Greek and Cyrillic removed.
 * Marks of other scripts carry vowels and stay.
 * @returns at most twice as many UTF-16 units as the text has, or 64; the rest is cut off
 */
export function foldText(text: string): string {
  const folded = text
    .replace(PHRASE_LIGATURES, ' ')
    .normalize('NFKD')
    .replace(/(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{M}+/gu, '')
    .normalize('NFC')
  const limit = Math.max(MIN_FOLDED, MAX_GROWTH * text.length)
  return folded.length <= limit ? folded : folded.slice(0, limit).toWellFormed()
}

/**
 * The lower-cased words of a text in order, identifiers split at camelCase, PascalCase, snake_case, kebab-case, dots,
 * slashes and letter-digit borders, so that `getUserName`, `get_user_name` and "get user name" give the same three words.
 * @example words('parseHTTPResponse2') // ['parse', 'http', 'response', '2']
 */
export function words(text: string): string[] {
  const found: string[] = []
  for (const [run] of foldText(text).matchAll(RUN)) {
    for (const part of run.split(BOUNDARY)) found.push(part.toLowerCase())
  }
  return found
}

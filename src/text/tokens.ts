/**
 * Splits a text into words and compounds (identifiers, paths, flags, versions), in every script.
 * @module
 */

import { Memo } from './memo.ts'
import { stem } from './stem.ts'
import { foldText, isAscii } from './words.ts'

/** The searchable tokens of a text. Both lists are in lower case, in order, with duplicates. */
export interface Tokens {
  /** Stemmed words, parts of identifiers, and bigrams of scripts without spaces. */
  readonly words: string[]
  /** Identifiers, paths, flags, symbols and versions as typed: `c++`, `--no-cache`, `src/app.ts:42`, `getusername`. */
  readonly compounds: string[]
  /** Whether the limit was reached before the end of the text. Missing: no. */
  readonly truncated?: boolean
}

/** Longer chunks (encoded data, minified code) produce words but no compounds. */
const MAX_COMPOUND_LENGTH = 120
/** Longer words are truncated: people don't type them. */
const MAX_WORD_LENGTH = 64
/**
 * Length of the overlapping pieces of Thai, Lao, Khmer and Burmese, which use neither spaces nor one character per
 * word.
 */
const UNSPACED_PIECE = 3

const PLAIN_WORD = /^[A-Za-z][a-z]*$/
/**
 * Brackets, quotes, commas and operators end a chunk, and so do 2,000 characters. An apostrophe between letters
 * doesn't.
 */
const CHUNK = /[^\s()[\]{}<>"'`“”‘’«»„,;|=&!?*^\p{Cc}、。，；：！？「」『』（）【】]{1,2000}(?:['’]\p{L}{1,64}){0,8}/gu
const RUN = /[\p{L}\p{M}\p{N}]+/gu
const PICTOGRAPH = /\p{Extended_Pictographic}/gu
const OPERATOR = /(?<!\S)[!#$%&*+\-./:<=>?@^|~]{2,4}(?!\S)/g
const CASE_BORDER = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u
const DIGIT_BORDER = /(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})/u
const IDEOGRAPHS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー々〆]+/u
const UNSPACED = /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/u
const BY_SCRIPT = new RegExp(`(${IDEOGRAPHS.source})|(${UNSPACED.source})`, 'gu')

/**
 * Tokenises a text for the index, or for a query.
 * @param purpose `query` omits the single ideographs under which a longer run of them is also indexed
 * @param limit maximum number of words and compounds together; reading stops at the chunk that reaches it
 */
export function tokenise(
  text: string,
  purpose: 'document' | 'query',
  limit: number = Number.POSITIVE_INFINITY,
): Tokens {
  const tokens: Tokens = { words: [], compounds: [] }
  const folded = isAscii(text) ? text : foldText(text.toWellFormed())
  const full = () => tokens.words.length + tokens.compounds.length >= limit
  for (const [operator] of folded.matchAll(OPERATOR)) {
    if (full()) return { ...tokens, truncated: true }
    tokens.compounds.push(operator.toLowerCase())
  }
  for (const [chunk] of folded.matchAll(CHUNK)) {
    if (full()) return { ...tokens, truncated: true }
    addChunk(chunk, purpose, tokens)
  }
  return tokens
}

/** Results for chunks that are not plain words: names, calls and numbers recur as often as words do. */
const chunks = { document: new Memo<Tokens>(10_000, 40), query: new Memo<Tokens>(1_000, 40) }

function addChunk(chunk: string, purpose: 'document' | 'query', tokens: Tokens): void {
  if (PLAIN_WORD.test(chunk)) {
    addWord(chunk, purpose, tokens.words)
    return
  }
  const { words, compounds } = chunks[purpose].of(chunk, (raw) => tokensOf(raw, purpose))
  for (const word of words) tokens.words.push(word)
  for (const compound of compounds) tokens.compounds.push(compound)
}

function tokensOf(raw: string, purpose: 'document' | 'query'): Tokens {
  const tokens: Tokens = { words: [], compounds: [] }
  const chunk = trimPunctuation(withoutApostrophes(raw))
  let plain = true
  for (const run of chunk.match(RUN) ?? []) {
    if (run.length !== chunk.length) plain = false
    if (!addRun(run, purpose, tokens)) plain = false
  }
  if (!isAscii(chunk)) for (const pictograph of chunk.match(PICTOGRAPH) ?? []) tokens.words.push(pictograph)
  if (!plain && chunk.length > 1 && chunk.length <= MAX_COMPOUND_LENGTH)
    addCompounds(chunk.toLowerCase(), purpose, tokens.compounds)
  return tokens
}

/** Adds a name without separators as one word too, so that it is also found without its capitals. */
function addJoined(name: string, purpose: 'document' | 'query', compounds: string[]): void {
  compounds.push(name)
  const word = stem(name)
  if (purpose === 'document' && word !== name) compounds.push(word)
}

/** Adds the words of a run of letters and digits. Returns false if the run consists of several words. */
function addRun(run: string, purpose: 'document' | 'query', tokens: Tokens): boolean {
  if (run.length > MAX_WORD_LENGTH || PLAIN_WORD.test(run)) {
    addWord(run, purpose, tokens.words)
    return true
  }
  const parts = run.split(CASE_BORDER)
  for (const part of parts) {
    addWord(part, purpose, tokens.words)
    const pieces = part.split(DIGIT_BORDER)
    if (pieces.length > 1) for (const piece of pieces) addWord(piece, purpose, tokens.words)
  }
  if (parts.length > 1) addJoined(run.toLowerCase(), purpose, tokens.compounds)
  return parts.length === 1
}

function addWord(word: string, purpose: 'document' | 'query', words: string[]): void {
  const lower = word.toLowerCase()
  if (isAscii(lower)) {
    words.push(stem(lower.slice(0, MAX_WORD_LENGTH)))
    return
  }
  let end = 0
  for (const match of lower.matchAll(BY_SCRIPT)) {
    if (match.index > end) words.push(lower.slice(end, Math.min(match.index, end + MAX_WORD_LENGTH)).toWellFormed())
    end = match.index + match[0].length
    if (match[1]) addIdeographs([...match[1]], purpose, words)
    else addPieces([...match[0]], words)
  }
  if (end < lower.length) words.push(lower.slice(end, end + MAX_WORD_LENGTH).toWellFormed())
}

/** Overlapping bigrams, and single characters, so that a query of one character finds them. */
function addIdeographs(characters: string[], purpose: 'document' | 'query', words: string[]): void {
  if (purpose === 'document' || characters.length === 1) for (const character of characters) words.push(character)
  for (let i = 1; i < characters.length; i++) words.push(`${characters[i - 1]}${characters[i]}`)
}

function addPieces(characters: string[], words: string[]): void {
  if (characters.length <= UNSPACED_PIECE) words.push(characters.join(''))
  for (let i = UNSPACED_PIECE; i <= characters.length && characters.length > UNSPACED_PIECE; i++) {
    words.push(characters.slice(i - UNSPACED_PIECE, i).join(''))
  }
}

/**
 * The compound as typed, without its line number, and those segments of a path or qualified name that are compounds.
 */
function addCompounds(chunk: string, purpose: 'document' | 'query', compounds: string[]): void {
  const found = new Set([chunk, chunk.replace(/(?::\d+)+$/, '')])
  for (const segment of chunk.split(/[/\\:@#]+/)) {
    if (!/[._-]/.test(segment)) continue
    found.add(segment)
    for (const name of segment.split('.')) if (/[_-]/.test(name)) found.add(name)
  }
  for (const name of chunk.split(/[^\p{L}\p{M}\p{N}_-]+/u)) {
    if (name.includes('_') || /\p{N}/u.test(name)) {
      const joined = name.replace(/[_-]+/g, '')
      found.add(joined)
      if (purpose === 'document') found.add(stem(joined))
    }
  }
  for (const compound of found) if (compound.length > 1 && /[\p{L}\p{N}]/u.test(compound)) compounds.push(compound)
}

function withoutApostrophes(chunk: string): string {
  return /['’]/.test(chunk) ? chunk.replace(/['’]s?$/, '').replace(/['’]/g, '') : chunk
}

const LEADING = new Set(['~', '.', '/', '\\', '-', '+', '%'])
const TRAILING = new Set(['.', ':', '/', '\\', '-', '~', '@', '$', '%', '…'])

/**
 * Removes sentence punctuation from both ends. A symbol directly before a letter or digit is kept (`.env`, `--force`,
 * `/etc`).
 */
function trimPunctuation(chunk: string): string {
  let end = chunk.length
  while (end > 0 && TRAILING.has(chunk.charAt(end - 1))) end--
  let start = 0
  while (start < end && chunk.charAt(start) === ':') start++
  const first = start
  while (start < end && LEADING.has(chunk.charAt(start))) start++
  if (start < end && /[\p{L}\p{N}_]/u.test(chunk.charAt(start))) start = Math.max(first, start - 3)
  return chunk.slice(start, end)
}

/**
 * Analyses a question about a code base: its words and their information content, the names it contains, its shape, and
 * the kinds of files it asks for.
 * @module
 */
import type { FileKind } from '../../text/file-kind.ts'
import { type Initialism, initialismsOf } from '../../text/initialisms.ts'
import { stem } from '../../text/stem.ts'
import { isStopTerm } from '../../text/stop-words.ts'
import { words } from '../../text/words.ts'

/** The analysis of a request, made by `retrieval/query-analysis.ts`. */
export interface AnalysedQuestion {
  /** The text that is searched for. */
  readonly searchText: string
  readonly identifiers: readonly string[]
  readonly paths: readonly string[]
  readonly errors: readonly string[]
}

/** A term of the question and its inverse document frequency in the collection. */
export interface QuestionTerm {
  readonly term: string
  readonly kind: 'word' | 'compound' | 'phrase'
  readonly idf: number
}

/** The form of a question. It determines the weights of words and of meaning. */
export type QuestionShape = 'symbol' | 'sentence' | 'long'

export interface CodeQuestion {
  readonly shape: QuestionShape
  /** Stemmed content words with their idf. */
  readonly words: ReadonlyMap<string, number>
  /** Sum of the idf of all its terms: `--no-cache` carries more information than "cache". */
  readonly information: number
  /** Names in the question, joined and in lower case: `getUserName` and `get_user_name` are the same. */
  readonly names: ReadonlySet<string>
  /** Every pair and triple of adjacent words, joined: "request handler" may name `RequestHandler`. */
  readonly phrases: ReadonlySet<string>
  /** Initialisms of adjacent words by their stem, with the stems of these words. */
  readonly initialisms: ReadonlyMap<string, Initialism>
  /** Paths in the question, in lower case, without line numbers. */
  readonly paths: readonly string[]
  /** Kinds of files that the question asks for. They then count like sources. */
  readonly asksFor: ReadonlySet<FileKind>
  readonly hasError: boolean
}

/** `c++` or `--no-cache` doesn't ask for `c` or `cache`: the words in it don't name a file. */
const SYMBOLIC = /[+#]|^-/
/** From this number of words on, a question counts as pasted text. */
const LONG_WORDS = 45
/** Maximum number of words that are joined to phrases. */
const MOST_PHRASE_WORDS = 60

const ASKED_KINDS: readonly (readonly [FileKind, RegExp])[] = [
  [
    'test',
    /\b(?:(?:which|what|whose|unit|integration|regression|e2e|end-to-end)\s+(?:tests?|specs?)\b|(?:tests?|specs?|test cases?)\s+(?:for|of|that\s+(?:cover|check|verif))|(?:is|are|where|how)\b.{0,60}\btested\b)/i,
  ],
  [
    'document',
    /\b(?:docs\b|documentation\b|documented\b|readme\b|user guide|tutorial|guides?\s+(?:for|on|to)\b|explained\b.{0,20}\bdocs)/i,
  ],
  [
    'example',
    /\b(?:examples?\s+(?:of|for|app|code|project)|an?\s+example|sample\s+(?:code|app|project)|demo\b|benchmarks?\b)/i,
  ],
  [
    'changelog',
    /\b(?:change\s?log|release notes|what(?:'s| is| has)? (?:new|changed)|since which (?:version|release)|in which (?:version|release)|news entr)/i,
  ],
  [
    'licence',
    /\b(?:licen[cs]ed?\s+(?:under|of|text|file)|which licen[cs]e|copyright|maintainers\b|who (?:are the authors|maintains))/i,
  ],
  [
    'configuration',
    /\b(?:package\.json|tsconfig|pyproject|ya?ml|toml|workflows?\s+(?:file|of)|github actions?|ci\s+(?:job|pipeline|workflow|config)|makefile|dockerfile|gradle|pom\.xml|lint(?:er)? (?:rules?|config))/i,
  ],
  ['types', /\b(?:type declarations?|declaration files?|\.d\.ts|stubs?\b)/i],
  ['generated', /\b(?:generated (?:code|file)|lock ?file|snapshots? (?:of|for|file))/i],
]

/**
 * Analyses a question.
 * @param terms the question's terms with the collection's weights
 */
export function readQuestion(question: AnalysedQuestion, terms: readonly QuestionTerm[]): CodeQuestion {
  const text = question.searchText.trim()
  const spoken = words(text.slice(0, 4000))
  const known = new Map<string, number>()
  for (const { term, kind, idf } of terms) if (kind === 'word') known.set(term, idf)
  for (const { term, kind } of terms) {
    if (kind === 'compound' && SYMBOLIC.test(term)) for (const part of words(term)) known.delete(stem(part))
  }
  const single = text !== '' && !/\s/.test(text)
  const names = new Set<string>()
  for (const name of single ? [text, ...question.identifiers] : question.identifiers) {
    const last = lastSegment(name)
    for (const part of [name, last]) {
      const joined = joinedName(part)
      if (joined.length > 1) names.add(joined)
    }
  }
  const shape = single ? 'symbol' : spoken.length >= LONG_WORDS ? 'long' : 'sentence'
  return {
    shape,
    words: known,
    information: terms.reduce((sum, { idf }) => sum + idf, 0),
    names,
    phrases: shape === 'sentence' ? phrasesOf(spoken) : new Set(),
    initialisms: shape === 'sentence' ? stemmed(initialismsOf(text)) : new Map(),
    paths: question.paths.map((path) =>
      path
        .toLowerCase()
        .replace(/(?::\d+)+$/, '')
        .replace(/^\.?\//, ''),
    ),
    asksFor: new Set(ASKED_KINDS.flatMap(([kind, pattern]) => (pattern.test(text.slice(0, 2000)) ? [kind] : []))),
    hasError: question.errors.length > 0,
  }
}

/** The last part of a qualified name: `get` of `Client.get`, `Client::get`, `client->get`, `Client#get`. */
export function lastSegment(name: string): string {
  return name.split(/\.|::|->|#|\//).at(-1) ?? name
}

/** A name in lower case without the characters that separate its words. */
export function joinedName(name: string): string {
  return name.replace(/[^\p{L}\p{N}+#]+/gu, '').toLowerCase()
}

function stemmed(initialisms: ReadonlyMap<string, Initialism>): Map<string, Initialism> {
  return new Map([...initialisms].map(([term, own]) => [term, { ...own, words: own.words.map(stem) }]))
}

function phrasesOf(spoken: readonly string[]): Set<string> {
  const content = spoken.slice(0, MOST_PHRASE_WORDS)
  const phrases = new Set<string>()
  for (let i = 0; i + 1 < content.length; i++) {
    const [first = '', second = '', third] = content.slice(i, i + 3)
    if (isStopTerm(first) || isStopTerm(second)) continue
    phrases.add(`${first}${second}`).add(`${stem(first)}${stem(second)}`)
    if (third !== undefined && !isStopTerm(third)) phrases.add(`${first}${second}${third}`)
  }
  return phrases
}

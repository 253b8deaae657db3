/**
 * Named features of each piece of code that a search found, for a learnt ranking. Pure. Uses stored fields and the
 * evidence of the two lists, and reads only the beginning of a piece's text.
 * @module
 */
import { FILE_KINDS, type FileKind, isEntryFile, kindOfFile, shareOfImports, testedName } from '../../text/file-kind.ts'
import { writesInitialism } from '../../text/initialisms.ts'
import { Memo } from '../../text/memo.ts'
import { stem } from '../../text/stem.ts'
import { words } from '../../text/words.ts'
import { type CodeQuestion, joinedName, lastSegment } from './question.ts'

/** One piece of code. */
export interface CodePiece {
  readonly path: string
  readonly symbols: readonly string[]
  readonly body: string
  /** The stored kind; null: derived from the path. */
  readonly kind: FileKind | null
  /** BM25; 0: no term in common. */
  readonly keyword: number
  /** Covered share of the question's idf, 0 to 1. */
  readonly coverage: number
  /** Length in terms divided by the collection's average. */
  readonly length: number
  /** Standard deviations of the cosine above that of unrelated texts; null: no vector. */
  readonly closeness: number | null
}

/** Figures that all features of one search share. */
export interface CodeSearchFigures {
  /** Maximum BM25 that any document could reach. */
  readonly attainable: number
}

/** Kinds of files are features, except for `source`. */
const KIND_FEATURES = FILE_KINDS.filter((kind) => kind !== 'source')

const FEATURES = [
  'words',
  'words_attained',
  'coverage',
  'meaning',
  'meaning_relative',
  'defines_name',
  'symbol_fit',
  'file_words',
  'file_fit',
  'file_is_name',
  'folder_words',
  'path_given',
  'imports',
  'older_version',
  'depth',
  'length',
  ...KIND_FEATURES,
  'words_symbol',
  'companion_words',
  'words_long',
  'meaning_relative_long',
  'file_fit_symbol',
] as const

export type CodeFeature = (typeof FEATURES)[number]
export const CODE_FEATURES: readonly CodeFeature[] = FEATURES
export type CodeFeatures = Readonly<Record<CodeFeature, number>>

/** Kinds that contain no code, and how strongly the kind counts against a piece when the question is a bare name. */
const NOT_CODE: ReadonlySet<FileKind> = new Set(['document', 'changelog', 'licence', 'configuration'])
const BARE_NAME_SHARE = 0.25
/** Number of characters at the beginning of a piece that are examined. */
const LOOKED_AT = 1200
/** Maximum number of symbols of one piece that are compared. */
const MOST_SYMBOLS = 30
/** Minimum length of a word that can match as a prefix. */
const SHORTEST_PREFIX = 3
/** Maximum depth that counts, in folders below the shallowest source. */
const MAX_DEPTH = 4

/** The features of every piece, in the same order. */
export function codeFeatures(
  question: CodeQuestion,
  pieces: readonly CodePiece[],
  figures: CodeSearchFigures,
): CodeFeatures[] {
  const best = Math.max(1e-9, ...pieces.map(({ keyword }) => keyword))
  const closest = Math.max(...pieces.map(({ closeness }) => closeness ?? Number.NEGATIVE_INFINITY))
  const newest = newestVersions(pieces)
  const kindsOf = pieces.map(({ kind, path }) => kind ?? kindOfFile(path))
  const companions = companionsOf(question, pieces, kindsOf)
  const shallowest = Math.min(...pieces.flatMap(({ path }, i) => (kindsOf[i] === 'source' ? foldersOf(path) : [])))
  return pieces.map((piece, i): CodeFeatures => {
    const place = placeOf(piece.path)
    const kind = kindsOf[i] ?? 'source'
    const symbols = piece.symbols.slice(0, MOST_SYMBOLS).map(symbolOf)
    const said = piece.keyword / best
    const meaning = piece.closeness ?? 0
    const relative = piece.closeness === null || !Number.isFinite(closest) ? -1 : piece.closeness - closest
    const file = match(question, place.stem, piece.body)
    const symbolic = question.shape === 'symbol' ? 1 : 0
    const long = question.shape === 'long' ? 1 : 0
    const named = (name: string) => question.names.has(name)
    const fits = symbols.map(({ parts }) => match(question, parts, piece.body))
    const kinds = Object.fromEntries(
      KIND_FEATURES.map((name) => [
        name,
        name === kind && !question.asksFor.has(name) ? kindWeight(name, symbolic) : 0,
      ]),
    )
    const fileFit = file.share * file.fit
    return {
      words: said,
      words_attained: figures.attainable > 0 ? Math.min(1, piece.keyword / figures.attainable) : 0,
      coverage: piece.coverage,
      meaning,
      meaning_relative: relative,
      defines_name: symbols.some(({ joined }) => named(joined)) ? 1 : 0,
      symbol_fit: Math.max(0, ...fits.map(({ share, fit }) => share * fit)),
      file_words: file.share,
      file_fit: fileFit,
      file_is_name: named(place.joined) || question.phrases.has(place.joined) ? 1 : 0,
      folder_words: match(question, place.folders, piece.body).share,
      path_given: isGiven(question, piece.path) ? 1 : 0,
      imports: shareOfImports(piece.body.slice(0, LOOKED_AT)),
      older_version: isOlder(piece.path, newest) ? 1 : 0,
      depth: Math.max(0, Math.min(MAX_DEPTH, foldersOf(piece.path) - shallowest)),
      length: Math.log(Math.max(0.05, piece.length)),
      ...(kinds as Record<Exclude<FileKind, 'source'>, number>),
      words_symbol: symbolic * said,
      companion_words:
        kind === 'source' && long === 0 ? Math.max(0, (companions.get(place.subject) ?? 0) / best - said) : 0,
      words_long: long * said,
      meaning_relative_long: long * relative,
      file_fit_symbol: symbolic * fileFit,
    }
  })
}

/**
 * A bare name may refer to any text that contains it. Documents are penalised less there, because a definition, if
 * there is one, stands out anyway.
 */
function kindWeight(kind: FileKind, symbolic: number): number {
  return symbolic > 0 && NOT_CODE.has(kind) ? BARE_NAME_SHARE : 1
}

interface Match {
  /** Share of the question's information that the words cover, 0 to 1. */
  readonly share: number
  /** Share of the words that occur in the question, 0 to 1. */
  readonly fit: number
}

/**
 * How well the words match the question: equal stems, one word is a prefix of the other, or an initialism of adjacent
 * words that the body of the piece writes in capitals.
 */
function match(question: CodeQuestion, own: readonly string[], body: string): Match {
  if (own.length === 0 || question.information <= 0) return { share: 0, fit: 0 }
  const met = new Set<string>()
  const distinct = new Set(own)
  const abbreviated = new Set<string>()
  for (const part of distinct) {
    const initialism = question.initialisms.get(part)
    if (!initialism || !writesInitialism(body, initialism.letters)) continue
    met.add(part)
    for (const word of initialism.words) abbreviated.add(word)
  }
  let covered = 0
  for (const [word, idf] of question.words) {
    let found = abbreviated.has(word)
    for (const part of distinct) {
      if (part !== word && !beginsAlike(part, word)) continue
      met.add(part)
      found = true
    }
    if (found) covered += idf
  }
  return { share: Math.min(1, covered / question.information), fit: met.size / distinct.size }
}

function beginsAlike(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= SHORTEST_PREFIX && long.startsWith(short)
}

/**
 * Highest BM25 of the tests, documents and examples that are about a file, by the file's subject. What the question asks
 * for itself is no companion.
 */
function companionsOf(
  question: CodeQuestion,
  pieces: readonly CodePiece[],
  kinds: readonly FileKind[],
): Map<string, number> {
  const companions = new Map<string, number>()
  pieces.forEach(({ path, keyword }, i) => {
    const kind = kinds[i] ?? 'source'
    if (kind === 'source' || question.asksFor.has(kind) || isGiven(question, path)) return
    const { subject } = placeOf(path)
    if (subject === '') return
    companions.set(subject, Math.max(companions.get(subject) ?? 0, keyword))
  })
  return companions
}

/** Number of folders in a path. */
function foldersOf(path: string): number {
  return path.split(/[\\/]/).length - 1
}

interface Place {
  /** Words of the file's name without its extension. If the folder gives a file its name, the folder's words. */
  readonly stem: readonly string[]
  readonly joined: string
  /** The joined name without the marks of a test: `csrf` for `csrf.ts`, `test_csrf.py`, `csrf/index.test.ts` and `csrf.md`. */
  readonly subject: string
  readonly folders: readonly string[]
}

const places = new Memo<Place>(5_000, 300)

function placeOf(path: string): Place {
  return places.of(path, (whole): Place => {
    const parts = whole.split(/[\\/]/)
    const name = parts.pop() ?? ''
    const folder = parts.at(-1) ?? ''
    const byFolder = isEntryFile(name) && folder !== ''
    const own = byFolder ? folder : withoutExtension(name)
    const folders = (byFolder ? parts.slice(0, -1) : parts).slice(-3)
    const tested = testedName(name)
    const subject = isEntryFile(tested) && folder !== '' ? folder : withoutExtension(tested)
    return {
      stem: stems(own),
      joined: joinedName(own),
      subject: joinedName(subject),
      folders: stems(folders.join('/')),
    }
  })
}

function withoutExtension(name: string): string {
  return name.replace(/(?<=.)\.[^.]+$/, '')
}

interface NamedSymbol {
  readonly parts: readonly string[]
  readonly joined: string
}

const symbolMemo = new Memo<NamedSymbol>(20_000, 200)

function symbolOf(symbol: string): NamedSymbol {
  return symbolMemo.of(symbol, (whole) => {
    const last = lastSegment(whole)
    return { parts: stems(last), joined: joinedName(last) }
  })
}

function stems(text: string): string[] {
  return words(text).map(stem)
}

function isGiven(question: CodeQuestion, path: string): boolean {
  const own = path.toLowerCase()
  return question.paths.some(
    (given) => own === given || own.endsWith(`/${given}`) || (given.includes('/') && given.endsWith(`/${own}`)),
  )
}

const VERSION = /(^|\/)v(\d{1,3})(?=\/)/

/** The newest version of each folder that has several next to each other, such as `src/v3` and `src/v4`. */
function newestVersions(pieces: readonly CodePiece[]): Map<string, number> {
  const newest = new Map<string, number>()
  for (const { path } of pieces) {
    const found = VERSION.exec(path)
    if (!found) continue
    const before = path.slice(0, found.index)
    newest.set(before, Math.max(newest.get(before) ?? 0, Number(found[2])))
  }
  return newest
}

function isOlder(path: string, newest: ReadonlyMap<string, number>): boolean {
  const found = VERSION.exec(path)
  return found !== null && Number(found[2]) < (newest.get(path.slice(0, found.index)) ?? 0)
}

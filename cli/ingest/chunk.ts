/**
 * Splits a file into chunks along its structure.
 *
 * Chunks partition the file. Each chunk has a context line that names the enclosing scopes. Keys are derived from
 * names, so that editing one function doesn't change the keys of the others.
 * @module
 */
import { purposeOf } from './doc-comment.ts'
import { withTree } from './grammars.ts'
import type { Language } from './languages.ts'
import { markdownUnits } from './markdown-units.ts'
import { DEFAULT_SIZES, type Group, type PlacedUnit, pack, type Scope, type Sizes } from './pack.ts'
import { syntaxUnits } from './syntax-units.ts'
import { textUnits } from './text-units.ts'
import { fnv1a, type Kind, oneLine, type Unit } from './units.ts'

/**
 * Why a file of a language with a grammar was split as plain text: parsing exceeded the budget, or the parser failed.
 */
export type CutAsText = 'budget' | 'failed'

/** A piece of a file. */
export interface Chunk {
  /** Unique within the file; derived from names, never from positions. */
  key: string
  /** Range in the file in UTF-16 code units, end exclusive. */
  start: number
  end: number
  /** Lines of the text, from 1, inclusive. Blank lines around it are not counted. */
  startLine: number
  endLine: number
  kind: Kind
  /** Names defined in it, qualified by their scopes: `Client.get`. */
  symbols: string[]
  /** The enclosing scopes that are not part of it: signatures, or the heading path. Empty at the top level. */
  context: string
  /** The text of the range without blank lines around it. */
  text: string
  /** First paragraph of its documentation comment, or its heading path. */
  purpose?: string
}

const QUALIFYING: ReadonlySet<Kind> = new Set(['class', 'interface', 'impl', 'module', 'enum'])
const CALLABLE: ReadonlySet<Kind> = new Set(['function', 'method'])
const MAX_SYMBOLS = 50
const MAX_SYMBOL_LENGTH = 200

/**
 * Adds the qualified names that a unit defines. Inside a function, only the function itself and other callables count.
 */
function addSymbols(unit: PlacedUnit, symbols: Set<string>): void {
  const outer = unit.scopes.filter((scope) => QUALIFYING.has(scope.kind)).flatMap((scope) => scope.names.slice(0, 1))
  const add = (path: readonly string[], name: string): void => {
    symbols.add([...path, name].join('.'))
  }
  const callable = unit.scopes.findLast((scope) => CALLABLE.has(scope.kind))
  if (callable) {
    for (const name of callable.names) add(outer, name)
    if (unit.label === 'head' || !(CALLABLE.has(unit.kind) || QUALIFYING.has(unit.kind))) return
    for (const name of unit.names) add([...outer, ...callable.names.slice(0, 1)], name)
    return
  }
  if (unit.label === 'head' && outer.length > 0) {
    symbols.add(outer.join('.'))
    return
  }
  for (const name of unit.names) add(outer, name)
  const own = unit.names[0]
  if (own) for (const member of unit.members?.() ?? []) add([...outer, own], member)
}

function symbolsOf(group: Group): string[] {
  const symbols = new Set<string>()
  for (const unit of group.units) addSymbols(unit, symbols)
  return [...symbols].filter((symbol) => symbol.length <= MAX_SYMBOL_LENGTH).slice(0, MAX_SYMBOLS)
}

function contextOf(scopes: readonly Scope[], language: Language): string {
  const lines = scopes.flatMap((scope) => scope.signature ?? [])
  if (language.strategy === 'markdown') return oneLine(lines.join(' > '), 300)
  const shown = lines.length > 4 ? [...lines.slice(0, 2), ...lines.slice(-2)] : lines
  return shown.join('\n')
}

function keyOf(group: Group): string {
  const unit = group.units.find((candidate) => candidate.names.length > 0) ?? group.units[0]
  const path = [...(unit?.scopes ?? []).map((scope) => scope.label), unit?.label ?? ''].join('/')
  return path.length <= 160 ? path : `${path.slice(0, 150).toWellFormed()}~${fnv1a(path).toString(16)}`
}

function kindOf(group: Group): Kind {
  const callable = group.scopes.findLast((scope) => CALLABLE.has(scope.kind))
  if (callable) return callable.kind
  const named = group.units.filter((unit) => unit.names.length > 0)
  const candidates = named.length > 0 ? named : group.units.filter((unit) => unit.kind !== 'comment')
  const largest = (candidates.length > 0 ? candidates : group.units).reduce((a, b) =>
    b.end - b.start > a.end - a.start ? b : a,
  )
  return largest.kind
}

function purposeOfGroup(group: Group, language: Language): string | undefined {
  if (language.strategy === 'markdown') {
    const first = group.units.find((unit) => unit.signature)
    const path = [...group.scopes, ...(first ? [first] : [])].flatMap((scope) => scope.signature ?? [])
    return path.length > 0 ? oneLine(path.join(' > '), 300) : undefined
  }
  for (const unit of group.units) {
    const purpose = purposeOf(unit.doc)
    if (purpose) return purpose
  }
  const callable = group.scopes.findLast((scope) => CALLABLE.has(scope.kind))
  return purposeOf(callable?.doc)
}

async function groupsOf(text: string, language: Language, sizes: Sizes): Promise<{ groups: Group[]; cut?: CutAsText }> {
  if (language.strategy === 'markdown') return { groups: pack(text, markdownUnits(text), sizes) }
  let cut: CutAsText | undefined
  if (language.strategy === 'syntax' && language.grammar) {
    const { grammar } = language
    const groups = await withTree(grammar, text, (tree) => {
      const packed = pack(text, syntaxUnits(tree.rootNode, text, grammar), sizes)
      // Names of members are read from the tree, so they must be collected before it is freed.
      for (const group of packed) for (const unit of group.units) keepMembers(unit)
      return packed
    })
    if (typeof groups === 'object' && groups.length > 0) return { groups }
    if (groups === 'budget' || groups === 'failed') cut = groups
  }
  return {
    groups: pack(text, textUnits(text, 0, text.length, { size: sizes.target, symbols: !language.prose }), sizes),
    cut,
  }
}

function keepMembers(unit: Unit): void {
  const members = unit.members?.()
  if (members) unit.members = () => members
}

/**
 * Splits a file into chunks.
 * @param text - the file, line ends normalised to `\n`
 * @param language - from `languageOf`
 * @param sizes - sizes in characters
 * @returns chunks in file order whose ranges partition `text`; none if the text is only white space
 */
export async function chunkText(text: string, language: Language, sizes: Sizes = DEFAULT_SIZES): Promise<Chunk[]> {
  return (await cutText(text, language, sizes)).chunks
}

/** Splits a file into chunks, and reports if it had to be split as plain text; see chunkText. */
export async function cutText(
  text: string,
  language: Language,
  sizes: Sizes = DEFAULT_SIZES,
): Promise<{ chunks: Chunk[]; cut?: CutAsText }> {
  if (text.trim() === '') return { chunks: [] }
  const { groups, cut } = await groupsOf(text, language, sizes)
  const seen = new Map<string, number>()
  let line = 1
  let counted = 0
  const chunks = groups.map((group) => {
    const start = group.units[0]?.start ?? 0
    const end = group.units.at(-1)?.end ?? start
    const slice = text.slice(start, end)
    const body = slice.replace(/^(?:[ \t]*\n)+/, '').trimEnd()
    const from = start + (slice.length - slice.replace(/^(?:[ \t]*\n)+/, '').length)
    for (; counted < from; counted++) if (text.charCodeAt(counted) === 10) line++
    const base = keyOf(group)
    const ordinal = (seen.get(base) ?? 0) + 1
    seen.set(base, ordinal)
    return {
      key: ordinal === 1 ? base : `${base}#${ordinal}`,
      start,
      end,
      startLine: line,
      endLine: line + (body.match(/\n/g)?.length ?? 0),
      kind: kindOf(group),
      symbols: symbolsOf(group),
      context: contextOf(group.scopes, language).toWellFormed(),
      text: body,
      purpose: purposeOfGroup(group, language)?.toWellFormed(),
    }
  })
  return { chunks, cut }
}

/**
 * Units of a syntax tree: one for each child of a node whose children are on separate lines, with the preceding
 * comments and decorators. Units are expanded lazily and generically. Only `definitions.ts` is specific to languages.
 * @module
 */
import type { Node } from 'web-tree-sitter'
import { DEFINITIONS, LEADING, namesOf, TRANSPARENT, unwrap } from './definitions.ts'
import { type Kind, labelOf, lineStart, oneLine, type Unit } from './units.ts'

interface Source {
  text: string
  grammar: string
}

/**
 * Fields with the right-hand side of a definition, which may make it a function or class: `const f = () => …`,
 * `exports.f = function …`.
 */
const VALUE_FIELDS = ['value', 'right'] as const

function kindOf(node: Node, source: Source): Kind {
  const table = DEFINITIONS[source.grammar] ?? {}
  const kind = table[node.type]
  if (!kind) return LEADING.has(node.type) ? 'comment' : 'statement'
  if (kind !== 'variable') return kind
  const holder = node.namedChildren.find((child) => child.type === 'variable_declarator') ?? node
  for (const field of VALUE_FIELDS) {
    const value = holder.childForFieldName(field)
    const valueKind = value ? table[value.type] : undefined
    if (valueKind === 'function' || valueKind === 'class') return valueKind
  }
  return kind
}

/** The part of a definition before its body, or its first line, as one line. */
function signatureOf(node: Node, definition: Node, text: string): string {
  let owner = definition.namedChildren.find((child) => child.type === 'variable_declarator') ?? definition
  for (const field of VALUE_FIELDS) owner = owner.childForFieldName(field) ?? owner
  const body = definition.childForFieldName('body') ?? owner.childForFieldName('body')
  const before = node.namedChildren.filter(
    (child) => LEADING.has(child.type) && child.endIndex <= definition.startIndex,
  )
  const start = before.at(-1)?.endIndex ?? node.startIndex
  if (body && body.startIndex > start) return oneLine(text.slice(start, body.startIndex), 200)
  return oneLine(
    text
      .slice(start, start + 400)
      .trimStart()
      .split('\n', 1)[0] ?? '',
    200,
  )
}

/** The first string statement of a Python body. */
function docstringOf(definition: Node): string | undefined {
  const first = definition.childForFieldName('body')?.namedChild(0)
  const string = first?.type === 'expression_statement' ? first.namedChild(0) : first
  return string?.type === 'string' ? string.text : undefined
}

/** Whether there is only white space before an offset on its line. */
function opensLine(text: string, offset: number): boolean {
  return text.slice(lineStart(text, offset), offset).trim() === ''
}

/** Children that start on their own line: in a node's body, in the node, or in its dominant descendant. */
function partsOf(node: Node, text: string): Node[] {
  let current = node
  for (;;) {
    const body = current.childForFieldName('body')
    const children = (body ?? current).namedChildren
    let fresh = 0
    let inner: Node | undefined
    for (const child of children) {
      if (!LEADING.has(child.type) && opensLine(text, child.startIndex)) fresh++
      if (!inner || child.endIndex - child.startIndex > inner.endIndex - inner.startIndex) inner = child
    }
    if (fresh >= (body ? 1 : 2)) return children
    if (!inner || (inner.endIndex - inner.startIndex) * 4 < current.endIndex - current.startIndex) return []
    current = inner
  }
}

interface Item {
  node: Node
  start: number
  end: number
  doc?: string
}

/** A comment style used only for documentation: JSDoc, Javadoc, Doxygen, Rust, C#, Swift. */
const DOCUMENTATION = /^\s*(?:\/\*[*!](?![*/])|\/\/[/!](?!\/))/
/** … and that describes the whole file, or no code at all. */
const OF_THE_FILE =
  /@(?:file|fileoverview|module|packagedocumentation|license|licence|preserve|copyright)\b|\\file\b|copyright|licen[cs]ed? under|spdx-|^\s*\/\/!/i

/**
 * Whether a comment belongs to the next node: there is nothing between them, or it is documentation followed by one
 * blank line.
 */
function belongs(comment: Item, next: Node, text: string): boolean {
  const between = text.slice(comment.end, next.startIndex)
  const blank = between.split('\n').length - 2
  if (blank <= 0) return true
  if (blank > 1 || LEADING.has(next.type)) return false
  const written = text.slice(comment.start, comment.end)
  return DOCUMENTATION.test(written) && !OF_THE_FILE.test(written)
}

/** Attaches comments and decorators to the node that follows them. */
function itemsOf(nodes: readonly Node[], source: Source): Item[] {
  const { text, grammar } = source
  const items: Item[] = []
  let leading: Item | undefined
  for (const node of nodes) {
    const isImport = DEFINITIONS[grammar]?.[unwrap(node).type] === 'import'
    const joins =
      leading &&
      belongs(leading, node, text) &&
      !(isImport && /\n[ \t]*\n/.test(text.slice(leading.end, node.startIndex)))
    const attached = joins ? leading : undefined
    if (leading && !attached) items.push(leading)
    const item: Item = { node, start: attached?.start ?? node.startIndex, end: node.endIndex }
    // The node of a Rust line comment includes its newline.
    if (LEADING.has(node.type) && text[item.end - 1] === '\n') item.end--
    if (attached) item.doc = text.slice(attached.start, node.startIndex)
    // A comment after code on the same line belongs to that code.
    leading = LEADING.has(node.type) && (attached !== undefined || opensLine(text, node.startIndex)) ? item : undefined
    if (!leading) items.push(item)
  }
  if (leading) items.push(leading)
  return items
}

function namesAs(kind: Kind, definition: Node, grammar: string): string[] {
  return kind === 'comment' || kind === 'import' || kind === 'statement' ? [] : namesOf(definition, grammar)
}

/** Names defined inside a node that is not a scope, through others of its kind. */
function innerNames(node: Node, source: Source): string[] {
  return (node.childForFieldName('body') ?? node).namedChildren.flatMap((child) => {
    const definition = unwrap(child)
    if (TRANSPARENT.has(definition.type)) return innerNames(definition, source)
    return namesAs(kindOf(definition, source), definition, source.grammar)
  })
}

function unitOf(item: Item, start: number, source: Source): Unit {
  const { text, grammar } = source
  const { node } = item
  const definition = unwrap(node)
  const transparent = TRANSPARENT.has(definition.type)
  const kind = transparent ? 'module' : kindOf(definition, source)
  const names = transparent ? innerNames(definition, source) : namesAs(kind, definition, grammar)
  const label =
    kind === 'import' ? 'imports' : definition.type === 'impl_item' ? signatureOf(node, definition, text) : names[0]
  const unit: Unit = {
    start,
    end: node.endIndex,
    kind,
    names,
    label: label ?? labelOf(text, node.startIndex, node.endIndex),
    rank: names.length > 0 ? 0 : kind === 'comment' ? 1 : 2,
    doc: kind === 'comment' ? text.slice(item.start, item.end) : item.doc,
  }
  if (grammar === 'python') unit.doc = docstringOf(definition) ?? (node.text.startsWith('"""') ? node.text : unit.doc)
  if (kind === 'comment' || kind === 'import') return unit
  // The content of a preprocessor branch or linkage block is treated as if it were outside.
  if (transparent) unit.transparent = true
  else unit.signature = signatureOf(node, definition, text)
  unit.expand = expandAlong(unit, definition, source)
  if (!transparent && (kind === 'class' || kind === 'interface' || kind === 'impl' || kind === 'module')) {
    unit.members = () =>
      (definition.childForFieldName('body')?.namedChildren ?? []).flatMap((child) => {
        const member = unwrap(child)
        const memberKind = kindOf(member, source)
        return memberKind === 'function' || memberKind === 'method' || memberKind === 'class'
          ? namesOf(member, grammar)
          : []
      })
  }
  return unit
}

/** Expands a unit, over its whole range, along the children of a node inside it. */
function expandAlong(unit: Unit, node: Node, source: Source): () => Unit[] {
  return () => {
    const parts = childUnits(unit, partsOf(node, source.text), source)
    return parts.length === 1 ? (parts[0]?.expand?.() ?? []) : parts
  }
}

type Parent = Pick<Unit, 'start' | 'end' | 'kind' | 'names' | 'doc' | 'transparent'>

/** Units for `nodes` that partition the lines of `parent`. Text before the first one is the parent's head. */
function childUnits(parent: Parent, nodes: readonly Node[], source: Source): Unit[] {
  const { text } = source
  const units: Unit[] = []
  const { kind, doc } = parent
  const names = parent.transparent ? [] : parent.names
  const head: Unit = { start: parent.start, end: parent.end, kind, names, doc, label: 'head', rank: 0 }
  let extent = 0
  for (const item of itemsOf(nodes, source)) {
    const start = lineStart(text, item.start)
    const last = units.at(-1)
    if (!opensLine(text, item.start)) {
      // It shares a line with the previous node: one unit, expanded along the larger of the two.
      if (!last) units.push(head)
      else if (last !== head) {
        const unit = unitOf(item, start, source)
        last.names = [...new Set([...last.names, ...unit.names])]
        if (item.end - item.start > extent) last.expand = expandAlong(last, unwrap(item.node), source)
      }
      continue
    }
    if (!last && text.slice(parent.start, start).trim() !== '') units.push(head)
    const unit = unitOf(item, units.length === 0 ? parent.start : start, source)
    const before = units.at(-1)
    if (unit.kind === 'import' && before?.kind === 'import') continue
    if (before) before.end = unit.start
    units.push(unit)
    extent = item.end - item.start
  }
  const last = units.at(-1)
  if (last) last.end = parent.end
  return units
}

/**
 * The top-level units of a parsed file, partitioning the whole text.
 * @param root - the tree's root; units can be expanded only before the tree is freed
 */
export function syntaxUnits(root: Node, text: string, grammar: string): Unit[] {
  const nodes = root.namedChildren.flatMap((node) => (node.type === 'statement_list' ? node.namedChildren : [node]))
  return childUnits({ start: 0, end: text.length, kind: 'module', names: [] }, nodes, { text, grammar })
}

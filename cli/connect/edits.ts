/**
 * Edits configuration files and preserves everything else: comments, order, indentation. Pure functions on texts.
 * @module
 */
import {
  applyEdits,
  type FormattingOptions,
  findNodeAtLocation,
  type JSONPath,
  modify,
  type ParseError,
  parse,
  parseTree,
} from 'jsonc-parser'

/** A value at a path. */
export interface JsonSet {
  readonly path: JSONPath
  readonly value: unknown
}

/** An element of a list at a path. Elements that match `ours` are from an earlier run. */
export interface JsonAppend extends JsonSet {
  readonly ours: RegExp
}

/** The change to one file. */
export interface Edit {
  readonly kind: 'json' | 'toml' | 'file'
  readonly path: string
  /** Whether the written text contains an API key. */
  readonly holdsKey?: boolean
  /** `json`: values to set, and list elements to add. */
  readonly sets?: readonly JsonSet[]
  readonly appends?: readonly JsonAppend[]
  /** `json`: initial content of a new file. */
  readonly initial?: string
  /** `json`: values of an earlier version, to remove. */
  readonly removes?: readonly JSONPath[]
  /** `toml`: name of a table, and its lines. */
  readonly table?: string
  readonly lines?: readonly string[]
  /** `file`: the complete content of a file of our own. */
  readonly text?: string
}

/** The file can't be edited, because its content doesn't match its name. */
export class UnreadableFileError extends Error {
  override name = 'UnreadableFileError'
}

/** The text after the edit. */
export function withEdit(text: string, edit: Edit): string {
  if (edit.kind === 'file') return edit.text ?? ''
  const clean = withoutEdit(text, edit)
  return edit.kind === 'toml' ? withTable(clean, edit) : withJson(clean, edit)
}

/** The text without the changes of {@link withEdit}, and without parts that are then empty. */
export function withoutEdit(text: string, edit: Edit): string {
  if (edit.kind === 'file') return ''
  return edit.kind === 'toml' ? withoutTable(text, edit.table ?? '') : withoutJson(text, edit)
}

/** Whether a text has no content: such a file needn't be kept. */
export function isEmpty(text: string, { kind, initial = '{}' }: Edit): boolean {
  const blank = (json: string) => json.replace(/\s+/g, '')
  return text.trim() === '' || (kind === 'json' && ['{}', blank(initial)].includes(blank(text)))
}

function withJson(text: string, { sets = [], appends = [], path, initial = '{}\n' }: Edit): string {
  let next = text.trim() === '' ? initial : text
  checkJson(next, path)
  for (const set of sets) next = change(next, set.path, set.value)
  for (const append of appends) {
    const list: unknown = valueAt(next, append.path)
    if (list !== undefined && !Array.isArray(list))
      throw new UnreadableFileError(`${path}: ${append.path.join('.')} is not a list`)
    next =
      list === undefined
        ? change(next, append.path, [append.value])
        : change(next, [...append.path, -1], append.value, true)
  }
  return next
}

function withoutJson(text: string, { sets = [], appends = [], removes = [], path }: Edit): string {
  if (text.trim() === '') return text
  checkJson(text, path)
  let next = text
  for (const place of [...sets.map(({ path }) => path), ...removes]) next = removeAt(next, place)
  for (const append of appends) {
    const list: unknown = valueAt(next, append.path)
    if (!Array.isArray(list)) continue
    for (let index = list.length - 1; index >= 0; index--)
      next = withoutOurs(next, [...append.path, index], append.ours)
  }
  return next
}

/** A group of hooks may also contain others' hooks: remove only ours. */
function withoutOurs(text: string, place: JSONPath, ours: RegExp): string {
  const value = valueAt(text, place) as { hooks?: { command?: string }[] } | undefined
  const hooks = Array.isArray(value?.hooks) ? value.hooks : []
  let next = text
  for (let index = hooks.length - 1; index >= 0; index--) {
    if (ours.test(hooks[index]?.command ?? '')) next = removeAt(next, [...place, 'hooks', index])
  }
  return next
}

/** Removes a value, and containers that are then empty. */
function removeAt(text: string, place: JSONPath): string {
  if (valueAt(text, place) === undefined) return text
  const next = change(text, place, undefined)
  const parent = place.slice(0, -1)
  const left: unknown = parent.length > 0 ? valueAt(next, parent) : undefined
  if (typeof left !== 'object' || left === null) return next
  const others = Object.keys(left).filter((name) => name !== 'matcher' && name !== 'sequential')
  return others.length === 0 ? removeAt(next, parent) : next
}

function checkJson(text: string, path: string): void {
  const errors: ParseError[] = []
  const value: unknown = parse(text, errors, { allowTrailingComma: true })
  if (errors.length > 0 || typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UnreadableFileError(`${path} is not a JSON object`)
}

function valueAt(text: string, path: JSONPath): unknown {
  let value: unknown = parse(text, [], { allowTrailingComma: true })
  for (const step of path)
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[String(step)] : undefined
  return value
}

function change(text: string, path: JSONPath, value: unknown, isArrayInsertion = false): string {
  return applyEdits(text, modify(text, path, value, { formattingOptions: formatOf(text), isArrayInsertion }))
}

/** The indentation of a file. */
function formatOf(text: string): FormattingOptions {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const tree = parseTree(text)
  const inline = tree !== undefined && findNodeAtLocation(tree, []) !== undefined && !text.trim().includes('\n')
  return { insertSpaces: !indent.startsWith('\t'), tabSize: inline ? 2 : indent.length, eol, insertFinalNewline: false }
}

function withTable(text: string, { table = '', lines = [] }: Edit): string {
  const start = text === '' || text.endsWith('\n\n') ? text : text.endsWith('\n') ? `${text}\n` : `${text}\n\n`
  return `${start}[${table}]\n${lines.join('\n')}\n`
}

/** A table extends from its header to the next one. Its sub-tables are removed with it. */
function withoutTable(text: string, table: string): string {
  const lines = text.split(/(?<=\n)/)
  const quoted = table.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/^(.*)\\\.(.*)$/, '$1\\.(?:$2|"$2")')
  const header = new RegExp(`^\\s*\\[\\s*${quoted}\\s*(?:\\.[^\\]]*)?\\]`)
  const kept: string[] = []
  let inside = false
  for (const line of lines) {
    if (/^\s*\[/.test(line)) inside = header.test(line)
    if (!inside) kept.push(line)
  }
  return kept.length === lines.length ? text : kept.join('').replace(/\n\n$/, '\n')
}

/**
 * Knowledge files: one Markdown file with front matter corresponds to one item of a collection.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import { parse, stringify } from 'yaml'
import { COLLECTIONS } from '../../src/knowledge/collections.ts'
import { PROVENANCES } from '../../src/knowledge/provenance.ts'
import type { FieldValue, KnowledgeItem } from './api.ts'
import type { ItemCollection } from './knowledge-place.ts'

/** The layout of a collection's fields in a file. */
interface Layout {
  /** Field for the first heading, or for the file's name. */
  title: string
  /** Field for the text. */
  body: string
  /** Fields with their own second-level heading, by that heading in lower case. Lists are written as lists. */
  sections: Record<string, string>
}

const LAYOUTS: Record<ItemCollection, Layout> = {
  'best-practices': {
    title: 'title',
    body: 'description',
    sections: { examples: 'examples', 'anti-patterns': 'anti_patterns', references: 'references' },
  },
  'error-solutions': { title: 'error_message', body: 'solution', sections: { context: 'context' } },
  'skills-patterns': {
    title: 'skill_name',
    body: 'description',
    sections: {
      usage: 'usage_pattern',
      prerequisites: 'prerequisites',
      'examples that worked': 'success_examples',
      'examples that failed': 'failure_examples',
      'related skills': 'related_skills',
    },
  },
  'learning-feedback': { title: 'query', body: 'correction', sections: { 'original answer': 'original_response' } },
  'interaction-history': { title: 'query', body: 'response', sections: {} },
}

const FRONT_MATTER = /^---[ \t]*\n([\s\S]*?)(?:^|\n)---[ \t]*(?:\n|$)/

function schemaOf(collection: ItemCollection, field: string) {
  const shape: Record<
    string,
    { safeParse(value: unknown): { success: boolean; error?: { issues: { message: string }[] } } }
  > = COLLECTIONS[collection].schema.shape
  return Object.hasOwn(shape, field) ? shape[field] : undefined
}

/**
 * Converts a field's value for the collection: a single value can represent a list of one, a number can represent a
 * text.
 */
function fieldValue(collection: ItemCollection, field: string, value: unknown): FieldValue | Error {
  const schema = schemaOf(collection, field)
  const candidates = [
    value,
    ...(Array.isArray(value) ? [value.map(String), value.join(', ')] : [[String(value)], String(value)]),
  ]
  const accepted = candidates.find((candidate) => schema?.safeParse(candidate).success)
  if (accepted !== undefined) return accepted as FieldValue
  return new Error(`${field}: ${schema?.safeParse(value).error?.issues[0]?.message ?? 'is not valid'}`)
}

/**
 * The list items of a section. Each starts with `- ` at the start of a line; its further lines are indented by two
 * spaces.
 */
function listOf(text: string): string[] | undefined {
  const items: string[] = []
  for (const line of text.split('\n')) {
    const begins = /^[-*+] (.*)$/.exec(line)
    if (begins) items.push(begins[1] ?? '')
    else if (items.length === 0) {
      if (line.trim() !== '') return undefined
    } else if (line === '' || line.startsWith('  ')) items[items.length - 1] += `\n${line.slice(2)}`
    else return undefined
  }
  return items.map((item) => item.trimEnd())
}

interface Parts {
  title?: string
  body: string
  sections: Map<string, string>
}

/** Splits a text into its first heading, its known second-level sections and the rest. */
function partsOf(text: string, layout: Layout): Parts {
  const sections = new Map<string, string>()
  const body: string[] = []
  let title: string | undefined
  let section: string | undefined
  let fence: string | undefined
  for (const line of text.split('\n')) {
    const mark = /^ {0,3}(?:[-*+] )?(`{3,}|~{3,})/.exec(line)?.[1]
    if (mark) fence = fence === undefined ? mark : mark.startsWith(fence) ? undefined : fence
    const heading = fence === undefined && !mark ? /^(#{1,2})\s+(.*?)\s*#*\s*$/.exec(line) : null
    if (heading?.[1] === '#' && title === undefined && body.every((one) => one.trim() === '')) {
      title = heading[2]
      continue
    }
    if (heading) {
      const field = heading[1] === '##' ? layout.sections[(heading[2] ?? '').toLowerCase()] : undefined
      section = field !== undefined && !sections.has(field) ? field : undefined
      if (section !== undefined) {
        sections.set(section, '')
        continue
      }
    }
    if (section === undefined) body.push(line)
    else sections.set(section, `${sections.get(section)}${line}\n`)
  }
  return { title, body: body.join('\n').trim(), sections }
}

/** The content of a file. */
export interface ParsedFile {
  item: KnowledgeItem
  /** Whether the item has its own key in the whole collection, so that it may have existed before the file. */
  keyed: boolean
  /** Front matter fields that the collection doesn't have. */
  unknown: string[]
}

/**
 * Reads an item from a file.
 * @param path - its path; the file name is the default title
 * @param text - the file
 * @returns the item, or an error message
 */
export function parseKnowledgeFile(collection: ItemCollection, path: string, text: string): ParsedFile | string {
  const layout = LAYOUTS[collection]
  const matter = FRONT_MATTER.exec(text)
  let given: Record<string, unknown> = {}
  if (matter) {
    try {
      const value: unknown = parse(matter[1] ?? '', { schema: 'core' })
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) given = value as Record<string, unknown>
      else if (value !== null && value !== undefined) return 'front matter: must be a list of fields'
    } catch (error) {
      return `front matter: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'is not YAML'}`
    }
  }
  const { key, provenance, ...rest } = given
  if (key !== undefined && (typeof key !== 'string' || key.trim() === '')) return 'key: must be a text'
  if (provenance !== undefined && !PROVENANCES.includes(provenance as never))
    return `provenance: must be one of ${PROVENANCES.join(', ')}`
  const parts = partsOf(text.slice(matter?.[0].length ?? 0), layout)
  const found: Record<string, unknown> = {}
  const name = (path.split('/').pop() ?? '').replace(/\.[^.]+$/, '').replace(/[-_]+/g, ' ')
  found[layout.title] = parts.title ?? rest.title ?? name
  if (parts.body !== '') found[layout.body] = parts.body
  for (const [field, content] of parts.sections) {
    const isList = schemaOf(collection, field)?.safeParse([]).success
    const value = isList ? (listOf(content) ?? [content.trim()]) : content.trim()
    if (value.length > 0) found[field] = value
  }
  const unknown: string[] = []
  for (const [field, value] of Object.entries(rest)) {
    if (schemaOf(collection, field) === undefined) {
      if (field !== 'title') unknown.push(field)
    } else if (value !== null) found[field] = value
  }
  const fields: KnowledgeItem['fields'] = {}
  for (const [field, value] of Object.entries(found)) {
    const checked = fieldValue(collection, field, value)
    if (checked instanceof Error) return checked.message
    fields[field] = checked
  }
  if (fields[layout.body] === undefined) return `${layout.body}: the file has no text`
  const item: KnowledgeItem = { key: typeof key === 'string' ? key : 'file', fields }
  // Only outcomes can verify text. A reviewed file counts as written by a person.
  if (provenance !== undefined) item.provenance = provenance === 'verified_outcome' ? 'human' : String(provenance)
  return { item, keyed: key !== undefined, unknown }
}

function listText(items: readonly string[]): string {
  return items.map((item) => `- ${item.split('\n').join('\n  ')}`).join('\n')
}

/**
 * One field as YAML, with a line break. JSON is valid YAML, and is used where a block would lose spaces or line breaks.
 */
function frontMatterField(field: string, value: unknown): string {
  const block = stringify({ [field]: value }, { lineWidth: 0 })
  const read: unknown = parse(block.trimEnd())
  return isDeepStrictEqual(read, { [field]: value }) ? block : `${field}: ${JSON.stringify(value)}\n`
}

/**
 * Formats an item as a file. Reading the file gives the same key and fields. Fields that the layout can't represent are
 * in the front matter.
 * @param item - key and fields as listed by the coordinator
 */
export function formatKnowledgeFile(
  collection: ItemCollection,
  item: { key?: string; provenance?: string; fields: Readonly<Record<string, unknown>> },
): string {
  const layout = LAYOUTS[collection]
  const laidOut = new Set([layout.title, layout.body, ...Object.values(layout.sections)])
  const write = (inText: ReadonlySet<string>): string => {
    const matter: Record<string, unknown> = {}
    if (item.key !== undefined) matter.key = item.key
    if (item.provenance !== undefined) matter.provenance = item.provenance
    for (const [field, value] of Object.entries(item.fields)) if (!inText.has(field)) matter[field] = value
    const lines: string[] = []
    if (inText.has(layout.title)) lines.push(`# ${String(item.fields[layout.title])}`)
    if (inText.has(layout.body)) lines.push(String(item.fields[layout.body]))
    for (const [heading, field] of Object.entries(layout.sections)) {
      const value = item.fields[field]
      if (value === undefined || !inText.has(field)) continue
      const title = `## ${heading.charAt(0).toUpperCase()}${heading.slice(1)}`
      lines.push(title, Array.isArray(value) ? listText(value.map(String)) : String(value))
    }
    const fields = Object.entries(matter).map(([field, value]) => frontMatterField(field, value))
    const front = fields.length > 0 ? `---\n${fields.join('')}---\n\n` : ''
    return `${front}${lines.join('\n\n')}\n`
  }
  const same = (text: string): boolean => {
    const read = parseKnowledgeFile(collection, 'file.md', text)
    if (typeof read === 'string') return false
    const fields = Object.entries(item.fields)
    return (
      Object.keys(read.item.fields).length === fields.length &&
      fields.every(([field, value]) => JSON.stringify(read.item.fields[field]) === JSON.stringify(value))
    )
  }
  const present = [...laidOut].filter((field) => item.fields[field] !== undefined)
  let inText = new Set(present)
  if (same(write(inText))) return write(inText)
  // Field by field, until reading returns the written values.
  inText = new Set(present.filter((field) => same(write(new Set([field])))))
  return same(write(inText)) ? write(inText) : write(new Set())
}

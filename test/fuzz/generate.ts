/**
 * Generates requests from JSON Schemas, and mutates them. Pure: the same seed gives the same requests.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'
import type { Pool } from './pool.ts'

/** The part of JSON Schema that the generator reads. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly maxItems?: number
  readonly minItems?: number
}

/** A random element of a list. */
export function pick<T>(list: readonly T[], random: Random): T {
  const chosen = list[Math.floor(random() * list.length)]
  if (chosen === undefined && list.length === 0) throw new Error('There is nothing to pick from.')
  return chosen as T
}

const WORDS = [
  'cache',
  'deploy',
  'index',
  'SELECT',
  'retry',
  'β-test',
  'naïve',
  '設定',
  '🦊',
  'src/a.ts',
  'E1001',
  'null',
  '"',
  '%',
]

/** Texts that have broken programs before. */
const NASTY: readonly string[] = [
  '',
  ' ',
  '\0',
  '\ud800',
  '\u202e',
  '🦊'.repeat(500),
  'a'.repeat(70_000),
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  "' OR 1=1 --",
  '"; DROP TABLE keys; --',
  '* NEAR( "a" AND',
  'NaN',
  '-0',
  '1e999',
  '9'.repeat(400),
  '{"a":',
  '[[[[',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\r\nSet-Cookie: a=b',
  '-----BEGIN RSA PRIVATE KEY-----',
  '<private>',
  '</context>',
  '(((((((((((((((((((((((((((((',
  'a\u0301'.repeat(300),
  '\ufeff',
  '0190b6f0-0000-7000-8000-000000000000',
]

const WRONG: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  Number.MIN_VALUE,
  [],
  {},
  [null],
  [[]],
  { a: { b: [{}] } },
  ['x', 1, null],
  { length: 1e9 },
  { toString: 'x' },
]

/** Nesting depths: as in a real value, around the limit, and far beyond it. */
const DEPTHS: readonly number[] = [8, 40, 200, 1000]

/** A value that is most likely valid for a schema. */
export function sampleValue(schema: Schema, name: string, pool: Pool, random: Random, depth = 0): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return pick(schema.enum, random)
  if (schema.anyOf) return sampleValue(pick(schema.anyOf, random), name, pool, random, depth)
  const type = typeof schema.type === 'object' ? pick(schema.type, random) : schema.type
  switch (type) {
    case 'string':
      return text(schema, name, pool, random)
    case 'integer':
    case 'number': {
      const low = schema.minimum ?? 0
      const number = low + random() * (Math.min(schema.maximum ?? 100, low + 100) - low)
      return type === 'integer' ? Math.round(number) : number
    }
    case 'boolean':
      return random() < 0.5
    case 'array': {
      const length = Math.max(schema.minItems ?? 0, Math.floor(random() * Math.min(4, (schema.maxItems ?? 4) + 1)))
      return Array.from({ length }, () => sampleValue(schema.items ?? {}, name, pool, random, depth + 1))
    }
    case 'object':
      return objectOf(schema, name, pool, random, depth)
    case 'null':
      return null
    default:
      return depth > 3 ? 'deep' : pick<unknown>([...WRONG, words(random), item(random)], random)
  }
}

function objectOf(schema: Schema, name: string, pool: Pool, random: Random, depth: number): Record<string, unknown> {
  const entries = Object.entries(schema.properties ?? {}).filter(
    ([field]) => schema.required?.includes(field) || random() < 0.4,
  )
  const object: Record<string, unknown> = {}
  for (const [field, property] of entries) object[field] = sampleValue(property, field, pool, random, depth + 1)
  if (entries.length > 0 || schema.properties) return object
  if (name === 'items' || name === 'documents') return item(random)
  object[pick(['language', 'category', 'title', 'x'], random)] = words(random)
  return object
}

/** An item that is valid, or almost valid, for some collection. */
function item(random: Random): Record<string, unknown> {
  const fields = pick<Record<string, unknown>>(
    [
      { title: words(random), description: words(random) },
      { error_message: words(random), solution: words(random) },
      { file_path: 'src/a.ts', code_snippet: words(random), language: 'typescript' },
      { skill_name: words(random), description: words(random) },
      { title: 7 },
      {},
    ],
    random,
  )
  return pick<Record<string, unknown>>(
    [
      { key: words(random), fields },
      { fields },
      { path: 'a.ts', hash: words(random), items: [{ key: '1', fields }] },
      fields,
    ],
    random,
  )
}

function text(schema: Schema, name: string, pool: Pool, random: Random): string {
  if (name === 'project') return random() < 0.9 ? 'fuzz' : 'other'
  if (schema.format === 'uuid') return pick(pool.ids, random)
  if (name === 'context_ids') return pick(pool.contextIds, random)
  if (name === 'id') return pick(pool.ids, random)
  return words(random).slice(0, schema.maxLength ?? 1000)
}

/** Length of a text that fills an item's field, in characters. */
const LONG = 31_000
/** Share of texts that are long and of a kind that is expensive to process. */
const LONG_SHARE = 0.01

/** Kinds of text that once took more than linear time. Each returns one more piece. */
const COSTLY: readonly ((random: Random) => string)[] = [
  () => '\ufdfa',
  () => '\ufdf2 ',
  () => '\u3316\u332b',
  () => 'a\u0301\u0302\u0303',
  (random) => `${Math.floor(random() * 2 ** 40).toString(36)} `,
  (random) => `${String.fromCharCode(97 + random() * 26).repeat(3)}_${random().toString(36).slice(2, 8)}.aB`,
  (random) => String.fromCharCode(0x4e00 + Math.floor(random() * 20_000)),
  () => '=',
  () => '{"a":',
]

function long(random: Random): string {
  const piece = pick(COSTLY, random)
  let text = ''
  while (text.length < LONG) text += piece(random)
  return text
}

function words(random: Random): string {
  if (random() < LONG_SHARE) return long(random)
  return Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(WORDS, random)).join(' ')
}

/** An input with one error or oddity in a random place. */
export function bend(input: Record<string, unknown>, random: Random): Record<string, unknown> {
  const fields = Object.keys(input)
  const bent = { ...input }
  const field = fields.length > 0 ? pick(fields, random) : 'project'
  const kind = random()
  if (kind < 0.2) delete bent[field]
  else if (kind < 0.45) bent[field] = pick(WRONG, random)
  else if (kind < 0.75) bent[field] = pick(NASTY, random)
  else if (kind < 0.85) bent[pick(['unknown', '__proto__', 'constructor', 'then', ''], random)] = pick(WRONG, random)
  else if (kind < 0.93) bent[field] = many(bent[field])
  else bent[field] = nested(pick(DEPTHS, random))
  return bent
}

/**
 * Maximum JSON length from repeating a value, in characters: over the limit of a body, and far below the memory of a
 * process.
 */
const MAX_CHARACTERS = 6_000_000

/**
 * Repeats a value 2,000 times, or as often as fits. A value that is already a repetition must not be multiplied again.
 */
function many(value: unknown): unknown[] {
  const size = JSON.stringify(value)?.length ?? 4
  return Array.from({ length: Math.max(2, Math.min(2000, Math.floor(MAX_CHARACTERS / size))) }, () => value)
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom'
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

/** A damaged body. */
export function damage(body: string, random: Random): string {
  const at = Math.floor(random() * body.length)
  return pick(
    [
      body.slice(0, at),
      `${body.slice(0, at)}${pick(NASTY, random)}${body.slice(at)}`,
      body.replaceAll('"', "'"),
      `[${body}]`,
      `${body}${body}`,
      '',
      'null',
      '"text"',
      '['.repeat(5000),
      `{"a":${'{"a":'.repeat(2000)}1${'}'.repeat(2000)}}`,
    ],
    random,
  )
}

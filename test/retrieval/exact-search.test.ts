/**
 * Exact text is found first, in every writing system, and no query breaks the search (faults of earlier systems:
 * substring matches, dropped symbols, dropped scripts, only the first items searched).
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { hybridSearch } from '../../src/operations/context/hybrid-search.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { callRest } from '../transports/worker-client.ts'
import { EXACT_CASES, EXACT_ITEMS, SCRIPTS } from './exact-cases.ts'

const store = storeKnowledge as unknown as Operation
const search = hybridSearch as unknown as Operation

interface Hit {
  key: string
  fields: Record<string, unknown>
}

async function found(project: string, query: string, more: Record<string, unknown> = {}): Promise<Hit[]> {
  const input = { project, query, collections: ['codebase-context'], ...more }
  return (await callRest(search, input)).combined_results as Hit[]
}

/** Ordinary prose around the cases, more than the first page of a scan would contain. */
const FILLER = Array.from({ length: 200 }, (_, i) => ({
  key: `filler-${i}`,
  fields: {
    file_path: `docs/topic-${i}.md`,
    code_snippet: `Topic ${i}: how the team builds, tests and releases the service number ${i}, and who answers when it fails.`,
  },
}))

describe('search by exact text', () => {
  beforeAll(async () => {
    const items = EXACT_ITEMS.map(([key, file_path, code_snippet]) => ({ key, fields: { file_path, code_snippet } }))
    await callRest(store, { project: 'exact', collection: 'codebase-context', items: [...FILLER, ...items] })
  })

  it('has at least 60 cases', () => expect(EXACT_CASES.length).toBeGreaterThanOrEqual(60))

  it.each(EXACT_CASES)('$query finds $key first', async ({ query, key }) => {
    const [first] = await found('exact', query)
    expect(first?.key).toBe(key)
  })

  it('never matches inside a word', async () => {
    const keys = (await found('exact', 'nix', { mode: 'keyword', keyword_limit: 50, limit: 50 })).map(({ key }) => key)
    expect(keys).toEqual(['nix'])
  })

  it('finds the last of many items', async () => {
    const [first] = await found('exact', 'service number 199')
    expect(first?.key).toBe('filler-199')
  })
})

describe('search in every writing system', () => {
  beforeAll(async () => {
    const items = SCRIPTS.map(([script, text]) => ({
      key: script,
      fields: { file_path: `${script}.md`, code_snippet: text },
    }))
    await callRest(store, { project: 'scripts', collection: 'codebase-context', items })
  })

  it.each(SCRIPTS)('%s', async (script, _text, query) => {
    const [first] = await found('scripts', query)
    expect(first?.key).toBe(script)
  })
})

describe('queries that are not questions', () => {
  const QUERIES = [
    '"',
    '*',
    '"unbalanced',
    'NEAR(a b)',
    'title:x',
    'a AND OR NOT',
    '^start',
    '{a b}',
    "'; DROP TABLE items; --",
    '😀',
    '🇩🇪👩‍👩‍👧',
    'مرحبا بالعالم',
    'the of and',
    'x',
    '-',
    '…',
    '\u202e\u200f',
    'a'.repeat(100_000),
    'word '.repeat(19_000),
    '( '.repeat(40_000),
  ]

  it.each(QUERIES.map((query) => [query.slice(0, 20), query]))('%j is answered', async (_name, query) => {
    for (const mode of ['keyword', 'semantic', 'hybrid'])
      expect(await found('exact', query, { mode })).toBeInstanceOf(Array)
  })
})

import { describe, expect, it } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { callRest } from '../transports/worker-client.ts'

async function run<T>(name: string, input: Record<string, unknown>): Promise<T> {
  const operation = OPERATIONS.find((known) => known.name === name)
  if (!operation) throw new Error(`There is no operation ${name}.`)
  return (await callRest(operation, input)) as T
}

interface Augmented {
  absence_reason: string | null
  retrieval_id: string
  answer_probability: number
  relevance_threshold: number
  nearest: { context_id: string; title: string; probability: number; short_by: number }[]
}

const file = {
  key: 'sign',
  fields: {
    file_path: 'src/cookie.ts',
    code_snippet: 'export function signCookie(value: string, key: Key) {\n  return hmac(value, key)\n}',
    symbols: ['signCookie'],
    start_line: 10,
    end_line: 12,
  },
}
const store = (project: string) => run('store_knowledge', { project, collection: 'codebase-context', items: [file] })

describe('a question without an answer', () => {
  it('returns the nearest results and how far they are below the threshold', async () => {
    await store('nearest')
    const query = 'Which spices go into a Moroccan stew with a cookie?'
    const answer = await run<Augmented>('augment_query', { project: 'nearest', query })
    expect(answer.absence_reason).toBe('nothing_relevant')
    expect(answer.nearest[0]).toMatchObject({ title: 'src/cookie.ts:10-12 signCookie' })
    expect(answer.nearest[0]?.short_by).toBeCloseTo(answer.relevance_threshold - answer.answer_probability)
    const found = await run<Augmented>('augment_query', { project: 'nearest', query: 'signCookie' })
    expect(found.absence_reason).toBeNull()
    expect(found.nearest).toEqual([])
  })

  it('is recorded, most frequent first, until the team writes the answer', async () => {
    await store('unanswered')
    const ask = (query: string) => run<Augmented>('augment_query', { project: 'unanswered', query })
    await ask('How deep is the deepest lake?')
    const { retrieval_id } = await ask('How deep is the deepest lake?')
    await ask('When do the ferries leave the harbour?')
    await ask('signCookie')
    const { questions } = await run<{ questions: { query: string; times: number; retrieval_id: string }[] }>(
      'list_unanswered',
      { project: 'unanswered' },
    )
    expect(questions.map(({ query, times }) => [query, times])).toEqual([
      ['How deep is the deepest lake?', 2],
      ['When do the ferries leave the harbour?', 1],
    ])
    expect(questions[0]?.retrieval_id).toBe(retrieval_id)
  })
})

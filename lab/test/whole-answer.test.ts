import { expect, test, vi } from 'vitest'
import type { HttpClient } from '../../cli/harness.ts'
import { wholeAnswer } from '../eval/whole-answer.ts'

const answering = (...answers: object[]) => {
  const post = vi.fn(async () => (answers.length > 1 ? answers.shift() : answers[0]))
  return { http: { post } as unknown as HttpClient, post }
}

test('repeats the request if an answer lacks vectors', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  try {
    const { http, post } = answering({ degraded: ['vectors'], n: 1 }, { degraded: [], n: 2 })
    expect(await wholeAnswer(http, '/hybrid_search', {})).toMatchObject({ n: 2 })
    expect(post).toHaveBeenCalledTimes(2)
  } finally {
    vi.useRealTimers()
  }
})

test('an answer without information about engines is complete', async () => {
  const { http, post } = answering({ n: 1 })
  expect(await wholeAnswer(http, '/query', {})).toEqual({ n: 1 })
  expect(post).toHaveBeenCalledTimes(1)
})

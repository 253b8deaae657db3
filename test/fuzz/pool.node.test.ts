import { expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { steeperThanLinear } from '../growth.node.ts'
import { harvest, type Pool } from './pool.ts'

const ID = '0190b6f0-0000-7000-8000-000000000000'

function harvested(body: string): Pool {
  const pool: Pool = { ids: [], contextIds: [] }
  harvest(body, pool, seeded(1))
  return pool
}

test('stores ids and context ids of an answer', () => {
  expect(harvested(JSON.stringify({ interaction_id: ID, context_ids: [`best-practices/${ID}`] }))).toEqual({
    ids: [ID, ID],
    contextIds: [`best-practices/${ID}`],
  })
})

test.each<[string, string]>([
  ['one letter', 'a'],
  ['halves of collection names', 'a-'],
  ['halves of context ids', 'best-practices/'],
  ['digits of ids', '0'],
  ['halves of ids', '0190b6f0-'],
])('reads an answer full of %s in linear time', (_, piece) => {
  expect(steeperThanLinear((text) => harvested(JSON.stringify({ query: text })), [piece], 400_000)).toEqual([])
})

test('stores only a bounded number', () => {
  const many = Array.from({ length: 500 }, (_, i) => `0190b6f0-0000-7000-8000-${String(i).padStart(12, '0')}`)
  expect(harvested(JSON.stringify(many)).ids).toHaveLength(200)
})

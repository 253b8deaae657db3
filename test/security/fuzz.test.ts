import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { inputSchemaOf } from '../../src/transports/json-schema.ts'
import { bend, type Schema } from '../fuzz/generate.ts'
import type { Pool } from '../fuzz/pool.ts'
import { isFault, isRefusal, type Shot, shoot, type Target } from '../fuzz/requests.ts'
import { prepare } from '../transports/samples.ts'
import { ADMIN_KEY, contentOfDatabase, ORIGIN, send } from './keyed-worker.ts'

const TARGETS: readonly Target[] = OPERATIONS.filter(({ name }) => name !== 'control_learning').flatMap((operation) =>
  operation.http.map((route) => ({
    name: operation.name,
    route,
    input: inputSchemaOf(operation) as Schema,
    tool: operation.offeredTo !== 'rest',
  })),
)

let pool: Pool

beforeAll(async () => {
  const { project: _, ...ids } = await prepare('fuzz')
  pool = { ids: Object.values(ids), contextIds: [`best-practices/${ids.item}`, `best-practices/${ids.spare}`] }
})

function requestOf(shot: Shot): Request {
  return new Request(ORIGIN + shot.path, {
    method: shot.method,
    headers: { ...shot.headers, 'X-API-Key': ADMIN_KEY },
    ...(shot.body !== null && shot.method !== 'HEAD' && shot.method !== 'GET' && { body: shot.body }),
  })
}

test('valid and mutated requests: no fault, and rejected requests change nothing', async () => {
  const tally = { refused: 0, accepted: 0 }
  let state = await contentOfDatabase()
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const shot = shoot(TARGETS, pool, seeded(seed))
      const response = await send(requestOf(shot))
      const body = await response.text()
      expect(
        isFault(response.status, body),
        `${JSON.stringify(shot).slice(0, 600)} → ${response.status} ${body.slice(0, 300)}`,
      ).toBe(false)
      const now = await contentOfDatabase()
      if (isRefusal(response.status, body)) {
        tally.refused++
        expect(now === state, `changed by ${JSON.stringify(shot).slice(0, 600)}`).toBe(true)
      } else {
        tally.accepted++
      }
      state = now
    }),
    { numRuns: 400, endOnFailure: true },
  )
  expect(tally.refused).toBeGreaterThan(100)
  expect(tally.accepted).toBeGreaterThan(50)
})

test('however often a request is mutated, it stays small enough to be sent', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seeded(seed)
      let input: Record<string, unknown> = { position: { phase: 'items', cursor: 'x'.repeat(3000) }, project: 'fuzz' }
      for (let i = 0; i < 6; i++) input = bend(input, random)
      expect(JSON.stringify(input).length).toBeLessThan(30_000_000)
    }),
    { numRuns: 150 },
  )
})

test('the same seed gives the same requests', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      expect(shoot(TARGETS, pool, seeded(seed))).toEqual(shoot(TARGETS, pool, seeded(seed)))
    }),
    { numRuns: 200 },
  )
})

/** The rows that operations read don't grow with the number of interactions: counted by the database, not timed. */
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { type Prepared, prepare, SAMPLES } from '../transports/samples.ts'
import { callRest } from '../transports/worker-client.ts'
import { grow } from './grow.ts'

const SMALL = 800
const LARGE = 2_400

/** Operations that must read interactions one by one, and which ones. */
const WHOLE: Readonly<Record<string, string>> = {
  generate_training_data: 'those that match its filters, for 4 seconds; a job continues',
  compare_variants: 'those since `since`',
  list_variants: 'those since `days` ago that carry a variant',
  preview_training_data: 'those that match its filters',
  list_interactions: 'those that match, to count them: 1,000 at most, on the first page',
  list_unanswered: 'the latest 1,000 augmentations',
  delete_data: 'all of the project, for those to delete',
  process_learning:
    'what its jobs are about: a training the latest 16,000 with an outcome, a check those of its dataset',
  replay_routing: 'the latest 5,000 decisions with an outcome',
  get_knowledge: 'the latest 5,000, for what leaving the item out did',
}

let rows = 0
const read = (result: D1Result) => {
  rows += result.meta.rows_read
  return result
}

/** A statement that counts the rows it reads. */
function counting(sql: string, inner: D1PreparedStatement): D1PreparedStatement {
  const select = /^\s*(?:SELECT|WITH)\b/i.test(sql)
  return Object.assign(Object.create(inner), {
    inner,
    bind: (...values: unknown[]) => counting(sql, inner.bind(...values)),
    all: async () => read(await inner.all()),
    run: async () => read(await inner.run()),
    // These two methods return no figures, so a read-only statement is run twice.
    raw: async (...options: []) => {
      if (select) read(await inner.all())
      return inner.raw(...options)
    },
    first: async (...column: [string]) => {
      if (select) read(await inner.all())
      return inner.first(...column)
    },
  })
}

beforeAll(() => {
  const [prepareStatement, batch] = [env.DB.prepare.bind(env.DB), env.DB.batch.bind(env.DB)]
  vi.spyOn(env.DB, 'prepare').mockImplementation((sql) => counting(sql, prepareStatement(sql)))
  vi.spyOn(env.DB, 'batch').mockImplementation(async (statements) =>
    (await batch(statements.map((s) => (s as unknown as { inner: D1PreparedStatement }).inner))).map(
      (result) => read(result) as D1Result<never>,
    ),
  )
})

afterAll(() => {
  vi.restoreAllMocks()
})

/** Rows that each operation reads, including the jobs that it causes. */
async function readings(prepared: Prepared): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const operation of OPERATIONS) {
    const sample = SAMPLES[operation.name]
    if (!sample) continue
    rows = 0
    await callRest(operation, sample(prepared))
    found.set(operation.name, rows)
  }
  return found
}

test('no operation reads more rows with three times as many interactions', async () => {
  await grow('small', 0, SMALL)
  await grow('large', SMALL, SMALL + LARGE)
  const [less, more] = [await prepare('small'), await prepare('large')]
  const small = await readings(less)
  const large = await readings(more)
  const table = [...small].map(([name, n]) => ({ name, small: n, large: large.get(name) ?? 0 }))
  console.log(table.map(({ name, small, large }) => `${name}: ${small} rows, ${large} rows`).join('\n'))
  const grown = table.filter(({ name, small, large }) => !(name in WHOLE) && large > small * 1.2 + 20)
  expect(grown).toEqual([])
  // Operations that read interactions one by one read each a fixed number of times.
  const whole = table.filter(({ name }) => name in WHOLE)
  expect(whole.filter(({ small, large }) => large / LARGE > (1.2 * small) / SMALL)).toEqual([])
  expect(whole.map(({ name }) => name).sort()).toEqual(Object.keys(WHOLE).sort())
  for (const { name, small } of whole) expect(small, name).toBeGreaterThan(SMALL)
})

/** The work bound of the fuzzer finds requests that cost more than their size allows, and nothing else. */
import { expect, test } from 'vitest'
import { seeded } from '../../cli/shared/random.ts'
import { MAX_TIMES_MEDIAN, WorkSample } from '../fuzz/work.ts'

interface Request {
  readonly bytes: number
  readonly costMs: number
}

/** A run of 400 requests of 1 to 64 kB that cost one millisecond per kilobyte, plus one more. */
function runWith(one: Request, seenMs = one.costMs): WorkSample<Request> {
  const random = seeded(3)
  const sample = new WorkSample<Request>(seeded(4))
  for (let i = 0; i < 400; i++) {
    const bytes = Math.floor(1024 * 2 ** (6 * random()))
    sample.note({ bytes, costMs: bytes / 1024 }, bytes, (bytes / 1024) * (1 + 5 * random()))
  }
  sample.note(one, one.bytes, seenMs)
  return sample
}

const over = async (sample: WorkSample<Request>, measure = async ({ costMs }: Request) => costMs) =>
  (await sample.costs(measure)).filter(({ timesMedian }) => timesMedian > MAX_TIMES_MEDIAN)

test('finds a request with 200 times the work of its size', async () => {
  const found = await over(runWith({ bytes: 3000, costMs: 600 }))
  expect(found.map(({ request, bytes, ms }) => [request.bytes, bytes, ms])).toEqual([[3000, 2048, 600]])
})

test('work proportional to the size is not a finding', async () => {
  expect(await over(runWith({ bytes: 60_000, costMs: 60 }))).toEqual([])
})

test('a pause that does not recur is not a finding', async () => {
  expect(await over(runWith({ bytes: 3000, costMs: 3 }, 9000))).toEqual([])
  let calls = 0
  const noisy = async ({ costMs }: Request) => (calls++ % 3 === 0 ? 1000 : costMs)
  expect(await over(runWith({ bytes: 3000, costMs: 3 }), noisy)).toEqual([])
})

test('compares a single request of its size with larger ones', async () => {
  const found = await over(runWith({ bytes: 300, costMs: 400 }))
  expect(found.map(({ request }) => request.bytes)).toEqual([300])
})

/** The memory of a ranking's training at its maximum input, including arrays outside the heap. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const PROGRAM = `
import { MAX_FEATURES, trainRanking } from './src/ranking/learnt/train.ts'
const [QUERIES, CANDIDATES, WORDS, DIMENSIONS] = [400, 30, 20_000, 256]
global.gc()
const start = process.memoryUsage.rss()
let state = 1
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
const each = Math.floor(MAX_FEATURES / (QUERIES * CANDIDATES))
const ranked = Array.from({ length: QUERIES }, (_, i) => ({
  query: 'question ' + i,
  vector: Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5),
  candidates: Array.from({ length: CANDIDATES }, () => ({
    base: random(),
    document: Math.floor(random() * 1000),
    features: {
      keys: Float64Array.from({ length: each }, () => Math.floor(random() ** 2 * WORDS)),
      values: Float32Array.from({ length: each }, random),
    },
  })),
  votes: Array.from({ length: 10 }, (_, v) => ({ items: [Math.floor(random() * 8)], shown: 8, caller: 'c' + v, success: random() < 0.5 ? 1 : 0 })),
}))
const before = process.cpuUsage()
const { queries, votes } = trainRanking(ranked, 'space')
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ queries, votes, features: each * QUERIES * CANDIDATES, seconds: (user + system) / 1e6, megabytes: (1024 * process.resourceUsage().maxRSS - start) / 1e6 }))
`

/** A small heap from the start, so that the measurement shows the memory that is needed, not uncollected garbage. */
const LITTLE_MEMORY = ['--expose-gc', '--max-semi-space-size=1', '--max-old-space-size=24']

test('a ranking is learnt from the maximum input of a training within 72 MB, including the input', () => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...LITTLE_MEMORY, '--no-warnings', '--input-type=module-typescript', '--eval', PROGRAM],
    { encoding: 'utf8', cwd: new URL('../..', import.meta.url) },
  )
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const { queries, votes, features, seconds, megabytes } = JSON.parse(stdout) as Record<string, number>
  expect({ queries, votes }).toEqual({ queries: 400, votes: 4000 })
  expect(megabytes).toBeLessThan(72)
  // Printed, not asserted: times differ from machine to machine.
  console.log(`${features} features: ${seconds?.toFixed(1)} s of CPU, ${megabytes?.toFixed(0)} MB`)
})

/** The memory of the router's training at its maximum input, including arrays outside the heap. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const PROGRAM = `
import { trainRouter } from './src/routing/router.ts'
import { MAX_CHARACTERS, QUERY_CHARACTERS } from './src/routing/bounds.ts'
const length = Number(process.argv[1])
const rows = Math.min(16_000, Math.floor(MAX_CHARACTERS / Math.min(length, QUERY_CHARACTERS)))
global.gc()
const start = process.memoryUsage.rss()
let state = 1
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
const word = () => Math.floor(random() * 50_000).toString(36)
const text = () => {
  const words = []
  for (let at = 0; at < Math.min(length, QUERY_CHARACTERS); at += words.at(-1).length + 1) words.push(word())
  return words.join(' ').slice(0, QUERY_CHARACTERS)
}
const examples = Array.from({ length: rows }, (_, i) => ({ query: text(), backend: i % 2 ? 'local' : 'remote', outcome: random() < 0.5 ? 1 : 0 }))
const before = process.cpuUsage()
const { sides } = trainRouter(examples)
const { user, system } = process.cpuUsage(before)
const megabytes = (1024 * process.resourceUsage().maxRSS - start) / 1e6
console.log(JSON.stringify({ rows, examples: sides.local.examples + sides.remote.examples, seconds: (user + system) / 1e6, megabytes }))
`

/** A small heap from the start, so that the measurement shows the memory that is needed, not uncollected garbage. */
const LITTLE_MEMORY = ['--expose-gc', '--max-semi-space-size=1', '--max-old-space-size=40']

test.each([
  [180, 80],
  [16_000, 64],
])(
  '16,000 questions of %i characters, as far as they are read, train within %i MB, including the input',
  (length, most) => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [...LITTLE_MEMORY, '--no-warnings', '--input-type=module-typescript', '--eval', PROGRAM, String(length)],
      { encoding: 'utf8', cwd: new URL('../..', import.meta.url) },
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { rows, examples, seconds, megabytes } = JSON.parse(stdout) as Record<string, number>
    expect(examples).toBe(rows)
    expect(megabytes).toBeLessThan(most)
    // Printed, not asserted: times differ from machine to machine.
    console.log(
      `${rows} questions of ${length} characters: ${seconds?.toFixed(1)} s of CPU, ${megabytes?.toFixed(0)} MB`,
    )
  },
  300_000,
)

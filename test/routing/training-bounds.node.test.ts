/** The router's training at the largest input that it is given, in a process with little memory. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const PROGRAM = `
import { trainRouter } from './src/routing/router.ts'
import { MAX_CHARACTERS, QUERY_CHARACTERS } from './src/routing/bounds.ts'
const length = Number(process.argv[1])
const rows = Math.min(16_000, Math.floor(MAX_CHARACTERS / Math.min(length, QUERY_CHARACTERS)))
let state = 1
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
const word = () => Math.floor(random() * 50_000).toString(36)
const text = () => {
  let text = ''
  while (text.length < Math.min(length, QUERY_CHARACTERS)) text += word() + ' '
  return text.slice(0, QUERY_CHARACTERS)
}
const examples = Array.from({ length: rows }, (_, i) => ({ query: text(), backend: i % 2 ? 'local' : 'remote', outcome: random() < 0.5 ? 1 : 0 }))
const before = process.cpuUsage()
const { sides } = trainRouter(examples)
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ rows, examples: sides.local.examples + sides.remote.examples, seconds: (user + system) / 1e6 }))
`

test.each([180, 16_000])(
  '16,000 questions of %i characters, as far as they are read, train within 64 MB',
  (length) => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--max-old-space-size=64', '--no-warnings', '--input-type=module-typescript', '--eval', PROGRAM, String(length)],
      { encoding: 'utf8', cwd: new URL('../..', import.meta.url) },
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { rows, examples, seconds } = JSON.parse(stdout) as { rows: number; examples: number; seconds: number }
    expect(examples).toBe(rows)
    // Printed, not asserted: times differ from machine to machine.
    console.log(`${rows} questions of ${length} characters: ${seconds.toFixed(1)} s of CPU`)
  },
  300_000,
)

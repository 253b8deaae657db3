/** Runs `ingest` against a coordinator in memory. Importing this starts one for each test. */
import { afterEach, beforeEach, vi } from 'vitest'
import type { Report } from '../../cli/ingest/report.ts'
import { run } from '../../cli/ingest.ts'
import { type FakeCoordinator, startFake } from './fake-coordinator.ts'
import { GUIDE, SAMPLES } from './samples.ts'

export let fake: FakeCoordinator
beforeEach(async () => {
  fake = await startFake()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await fake.close()
})

export const repository = (): Record<string, string> => ({
  ...Object.fromEntries(SAMPLES.map(({ path, text }) => [path, text])),
  'README.md': GUIDE,
  'package.json': '{"name":"sample","dependencies":{"hono":"4"}}',
})

export async function ingest(...argv: string[]): Promise<{ code: number; report: Report; err: string }> {
  let out = ''
  let err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
  const code = await run([...argv, ...(argv.includes('--url') ? [] : ['--url', fake.url]), '--json'])
  vi.restoreAllMocks()
  return { code, report: out ? (JSON.parse(out) as Report) : ({} as Report), err }
}

export const storedChunks = (): number => [...fake.documents.values()].reduce((sum, one) => sum + one.items.size, 0)
/** Requests that change stored data. A claim of texts to embed changes nothing. */
export const writes = (): string[] =>
  fake.requests.filter((request) => request.startsWith('POST') && !request.endsWith('/vectors/pending'))

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { run } from '../../cli/migrate-store.ts'

const PAGES = 5
let server: Server
let folder: string
let asked: { collection: string; cursor: string | null }[]
let failAt: number
let equal: boolean

/** A coordinator whose collections have five pages each. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'migrate-'))
  asked = []
  failAt = Number.POSITIVE_INFINITY
  equal = true
  server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.method === 'GET') return answer(200, { collections: [{ name: 'a' }, { name: 'b' }] })
    const { collection, position, verify } = JSON.parse(text) as {
      collection: string
      position?: { cursor: string }
      verify?: boolean
    }
    const summary = { items: 5, documents: 0, with_vector: 5, checksum: 'f'.repeat(64) }
    const other = { ...summary, items: equal ? 5 : 6 }
    if (verify)
      return answer(200, {
        items: 0,
        documents: 0,
        removed: 0,
        next: null,
        summaries: { from: summary, to: other, equal },
      })
    if (asked.length >= failAt) return answer(400, { code: 'invalid_input', detail: 'Stopped.' })
    asked.push({ collection, cursor: position?.cursor ?? null })
    const page = Number(position?.cursor ?? 0) + 1
    answer(200, {
      items: 1,
      documents: 0,
      removed: 0,
      next: page < PAGES ? { phase: 'items', cursor: String(page) } : null,
      summaries: null,
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true })
})

function migrate(): Promise<number> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return run(['--from', 'embedded', '--to', 'qdrant', '--url', url, '--state', join(folder, 'state.json')], {})
}

test('moves every collection page by page, and deletes its state when both stores are equal', async () => {
  expect(await migrate()).toBe(0)
  expect(asked).toHaveLength(2 * PAGES)
  await expect(readFile(join(folder, 'state.json'))).rejects.toThrow()
})

test('continues where it stopped, wherever it was interrupted', async () => {
  for (failAt = 0; failAt < 2 * PAGES; failAt++) {
    asked = []
    expect(await migrate()).toBe(1)
    const before = asked.length
    failAt += 100
    expect(await migrate()).toBe(0)
    failAt -= 100
    expect(asked.length, `stopped after ${before} pages`).toBe(2 * PAGES)
    expect(new Set(asked.map((page) => JSON.stringify(page))).size).toBe(2 * PAGES)
  }
})

test('different stores are an error, explained in words', async () => {
  equal = false
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  expect(await migrate()).toBe(1)
  const text = written.mock.calls.map(([part]) => String(part)).join('')
  written.mockRestore()
  expect(text).toContain('different: embedded holds 5 items, 0 documents, 5 with a vector; qdrant holds 6 items')
  expect(text).toContain('Add --prune to remove from qdrant what embedded does not hold.')
  expect(text).not.toContain('{')
})

test('reports usage errors', async () => {
  for (const argv of [[], ['--from', 'embedded'], ['--from', 'qdrant', '--to', 'qdrant'], ['--nothing']]) {
    expect(await run(argv, {}), argv.join(' ')).toBe(2)
  }
  expect(await run(['--help'], {})).toBe(0)
})

/**
 * Qdrant slow, faulty or unavailable: every call reports it within its deadline, and a write is complete or repeated.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CoordinatorError } from '../../../src/errors.ts'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import { Bench, SPACE } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

const DEADLINE_MS = 300

let stub: QdrantStub
let bench: Bench

function open(): QdrantStore {
  const engine = new Engine('Qdrant', 'Check QDRANT_URL.', { deadlineMs: DEADLINE_MS, backoffMs: 2, concurrent: 64 })
  const options = { url: 'http://qdrant.test:6333', prefix: '', engine, timeoutMs: 10_000 }
  return new QdrantStore(new QdrantConnection(options))
}

beforeEach(() => {
  stub = new QdrantStub()
  vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  bench = new Bench(open())
})
afterEach(() => {
  vi.restoreAllMocks()
})

const slowBody = () =>
  new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      controller.enqueue(new TextEncoder().encode(' '))
    },
  })
const broken = () => {
  let sent = false
  return new ReadableStream({
    pull(controller) {
      if (sent) return controller.error(new TypeError('Network connection lost.'))
      sent = true
      controller.enqueue(new TextEncoder().encode('{"result": [{"po'))
    },
  })
}
const json = { 'content-type': 'application/json' }

const FAULTS: Readonly<Record<string, readonly [fault: () => Response | Promise<Response>, said: RegExp]>> = {
  refused: [() => Promise.reject(new TypeError('Network connection lost.')), /could not be reached/],
  'reset mid-body': [() => new Response(broken(), { headers: json }), /could not be reached|did not answer with JSON/],
  'status 500': [
    () => new Response('{"status":{"error":"panic at src/secret.rs"}}', { status: 500, headers: json }),
    /status 500/,
  ],
  'status 429': [() => new Response('{}', { status: 429, headers: { ...json, 'retry-after': '9' } }), /too much to do/],
  silence: [() => new Promise(() => {}), /did not answer within 0\.3 s/],
  'slow drip': [() => new Response(slowBody(), { headers: json }), /did not answer within 0\.3 s/],
  'invalid JSON': [
    () => new Response('{"result": [', { headers: json }),
    /did not answer with JSON|could not be reached/,
  ],
  'wrong key': [() => new Response('{}', { status: 403, headers: json }), /did not accept its key/],
}

async function failure(work: () => Promise<unknown>): Promise<CoordinatorError> {
  const error = await work().then(
    () => new Error('It did not fail.'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(CoordinatorError)
  return error as CoordinatorError
}

describe('a fault in every kind of call', () => {
  for (const [name, [fault, said]] of Object.entries(FAULTS)) {
    it(`${name}: search and write report it, and nothing wrong is stored`, async () => {
      await bench.put({ a: 'red fox' })
      const stored = JSON.stringify([...(stub.collections.get('best-practices')?.points ?? [])])
      stub.intercept = (operation) => (/^(query_batch|batch_update)/.test(operation) ? fault() : null)
      const searching = await failure(() => bench.search('red fox'))
      expect(searching).toMatchObject({ code: 'engine_unavailable' })
      expect(searching.message).toMatch(said)
      expect(searching.message).not.toMatch(/secret/)
      if (name === 'status 429') expect(searching.retryAfter).toBe(9)
      await failure(() => bench.put({ b: 'blue whale' }))
      expect(JSON.stringify([...(stub.collections.get('best-practices')?.points ?? [])])).toBe(stored)
      stub.intercept = () => null
      bench = new Bench(open(), bench.scope)
      await bench.put({ b: 'blue whale' })
      expect((await bench.byKeyword('red blue')).sort()).toEqual(['a', 'b'])
    })
  }
})

it('a temporary fault is retried and not noticed', async () => {
  await bench.put({ a: 'red fox' })
  let faults = 2
  stub.intercept = (operation) => {
    if (operation !== 'query_batch_points' || faults === 0) return null
    faults--
    return new Response('{}', { status: 500, headers: json })
  }
  expect(await bench.byKeyword('red')).toEqual(['a'])
})

it('a write that was executed although its answer was lost is executed only once', async () => {
  const items = await bench.items({ a: 'red fox' })
  let lost = 1
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const response = await stub.fetch(input as RequestInfo, init as RequestInit)
    if (lost === 0 || !String((input as Request).url ?? input).includes('/points/batch')) return response
    lost--
    throw new TypeError('Network connection lost.')
  })
  expect(await bench.store.upsert(bench.scope, items, SPACE)).toEqual(['indexed'])
  expect(await bench.allKeys()).toEqual(['a'])
})

it('a replacement that stops between any two requests is completed by the next ingestion', async () => {
  const source = 'repository'
  const before = await bench.document(source, 'a.md', 'h1', { kept: 'same', gone: 'rhinoceros' })
  const after = await bench.document(source, 'a.md', 'h2', { kept: 'same', fresh: 'crocodile' })
  for (let stop = 0; ; stop++) {
    const own = new Bench(open(), { project: `stop-${stop}` })
    const prepare = async (hash: string, texts: Record<string, string>) => own.document(source, 'a.md', hash, texts)
    const first = await prepare(before.hash, { kept: 'same', gone: 'rhinoceros' })
    const second = await prepare(after.hash, { kept: 'same', fresh: 'crocodile' })
    stub.intercept = () => null
    await own.store.replaceDocuments(own.scope, source, [first], SPACE)
    let left = stop
    stub.intercept = () => (left-- > 0 ? null : new Response('{}', { status: 403, headers: json }))
    const stopped = await own.store.replaceDocuments(own.scope, source, [second], SPACE).then(
      () => false,
      () => true,
    )
    stub.intercept = () => null
    const again = new Bench(open(), own.scope)
    const [entry] = (await again.store.listDocuments(again.scope, source, { limit: 5 })).entries
    // A client that compares hashes must not mistake a partially written document for the new one.
    if (stopped && (await again.allKeys()).join() !== 'fresh,kept') expect(entry?.hash).not.toBe('h2')
    await again.store.replaceDocuments(again.scope, source, [second], SPACE)
    expect(await again.allKeys()).toEqual(['fresh', 'kept'])
    expect((await again.store.listDocuments(again.scope, source, { limit: 5 })).entries).toEqual([
      { path: 'a.md', hash: 'h2', items: 2 },
    ])
    if (!stopped) {
      expect(stop).toBeGreaterThan(3)
      break
    }
  }
})

it('something that another Worker created concurrently is not an error', async () => {
  const other = new Bench(open(), bench.scope)
  await Promise.all([bench.put({ a: 'red fox' }), other.put({ b: 'blue whale' })])
  expect(await bench.allKeys()).toEqual(['a', 'b'])
})

/** The contract on Qdrant: always against a strict stub, and against a server if QDRANT_URL is set. */
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { QdrantConnection } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import { qdrantPrefix } from '../../qdrant-server.ts'
import { QdrantStub } from './qdrant-stub.ts'
import { runContract } from './run-contract.ts'

function storeAt(url: string, apiKey?: string): QdrantStore {
  const engine = new Engine('Qdrant', 'Check QDRANT_URL.', { deadlineMs: 20_000, concurrent: 64 })
  const prefix = `${qdrantPrefix}contract-${crypto.randomUUID().slice(0, 8)}-`
  return new QdrantStore(new QdrantConnection({ url, apiKey, prefix, engine, timeoutMs: 20_000 }))
}

describe('stub', () => {
  const stub = new QdrantStub()
  const store = storeAt('http://qdrant.test:6333')
  beforeAll(() => {
    vi.spyOn(globalThis, 'fetch').mockImplementation(stub.fetch)
  })
  afterAll(() => {
    vi.restoreAllMocks()
  })

  runContract('qdrant stub', () => store)

  it('every request is one that Qdrant publishes', () => {
    expect(stub.violations).toEqual([])
    console.log('requests to the stub:', Object.fromEntries(stub.calls))
  })
})

const url = env.QDRANT_URL
describe.skipIf(!url)('server', () => {
  const store = url ? storeAt(url, env.QDRANT_API_KEY) : null
  if (store) runContract('qdrant server', () => store)
})

/**
 * The compression of vectors in Qdrant: by the setting, in a format allowed by its published schema, when a collection
 * is created.
 */
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { buildServices } from '../../../src/build-services.ts'
import type { Env } from '../../../src/env.ts'
import { Engine } from '../../../src/inference/engine/resilience.ts'
import { QdrantConnection, type Quantization } from '../../../src/knowledge/stores/qdrant/connection.ts'
import { QdrantStore } from '../../../src/knowledge/stores/qdrant/store.ts'
import { readSettings } from '../../../src/settings.ts'
import { Bench } from './contract-samples.ts'
import { QdrantStub } from './qdrant-stub.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

it.each<[Quantization | undefined, unknown]>([
  [undefined, { scalar: { type: 'int8', quantile: 0.99, always_ram: true } }],
  ['none', null],
  ['scalar', { scalar: { type: 'int8', quantile: 0.99, always_ram: true } }],
  ['product', { product: { compression: 'x16', always_ram: true } }],
  ['binary', { binary: { always_ram: true } }],
])('%s', async (setting, sent) => {
  const stub = new QdrantStub()
  const asked: unknown[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (request.url.includes('/query')) asked.push(await request.clone().json())
    return stub.fetch(request)
  })
  const { QDRANT_QUANTIZATION: quantization } = readSettings(setting ? { QDRANT_QUANTIZATION: setting } : {})
  const engine = new Engine('Qdrant', '')
  const connection = new QdrantConnection({
    url: 'http://q.test:6333',
    prefix: '',
    quantization,
    engine,
    timeoutMs: 5_000,
  })
  const bench = new Bench(new QdrantStore(connection))
  await bench.put({ a: 'red fox' })
  const [candidate] = (await bench.search('red fox')).candidates
  expect(candidate?.cosine).toBeCloseTo(1, 5)
  expect(stub.violations).toEqual([])
  for (const { quantization: kept } of stub.collections.values()) expect(kept).toEqual(sent)
  // The similarity of compressed vectors would not be a true cosine.
  expect(JSON.stringify(asked)).toContain('"rescore":true')
})

it('an invalid value is reported with the name of the setting', () => {
  const bindings = { ...(env as unknown as Env), QDRANT_QUANTIZATION: 'tiny' }
  expect(() => buildServices(bindings)).toThrow(/QDRANT_QUANTIZATION/)
})

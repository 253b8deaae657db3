import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatComparison, formatReport } from '../bench/format.ts'
import { type Load, measure } from '../bench/load.ts'
import { comparePeers } from '../bench/peers.ts'
import { plotReport } from '../bench/plot.ts'
import { cycle, post, tool } from '../bench/requests.ts'
import { type BenchReport, type Measurement, ratiosOf } from '../bench/results.ts'
import { seededId, withoutOutcome } from '../bench/seed.ts'

let server: Server
let url: string
const received: { path: string; body: string }[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      received.push({ path: request.url ?? '', body })
      if (request.url === '/later' && received.filter(({ path }) => path === '/later').length > 3)
        response.statusCode = 503
      response.end(request.url === '/tool' ? '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}' : '{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

const load = (p50_ms: number): Load => ({
  requests: 10,
  per_second: 1000 / p50_ms,
  p50_ms,
  p95_ms: 2 * p50_ms,
  p99_ms: 3 * p50_ms,
})
const entry = (operation: string, p50: number, size?: number, base = 1, connections = 1): Measurement => ({
  operation,
  connections,
  ...(size !== undefined && { size }),
  load: load(p50),
  baseline: { name: 'bare', load: load(base) },
})

function reportOf(overhead: Measurement[], knowledge: Measurement[], interactions: Measurement[]): BenchReport {
  return {
    at: '2026-11-28T08:00:00.000Z',
    machine: { cpu: 'A < B', cores: 2, memory_gb: 8, platform: 'linux x64' },
    versions: { workerd: '1' },
    seconds: 1,
    rounds: 1,
    overhead,
    knowledge,
    index: [{ items: 50_000, cold_ms: 400, warm_ms: 8, memory_bytes: 40e6 }],
    interactions,
    ratios: ratiosOf(overhead, knowledge, interactions),
  }
}

describe('a measurement', () => {
  test('sends its requests in order, and counts every answer', async () => {
    received.length = 0
    const next = cycle([1, 2, 3], (n) => post(`/n${n}`, { n }))
    const [found] = await measure([{ name: 'n', url, next }], 1, { rounds: 2, seconds: 1 })
    expect(found?.requests).toBeGreaterThan(10)
    // One request checks the answer; autocannon may have one more in progress when its time is over.
    expect(received.length - 1 - (found?.requests ?? 0)).toBeLessThanOrEqual(4)
    expect(received.slice(0, 4).map(({ path }) => path)).toEqual(['/n1', '/n2', '/n3', '/n1'])
    expect(received[1]?.body).toBe('{"n":2}')
    expect(found?.p50_ms).toBeGreaterThan(0)
    expect(found?.p99_ms).toBeGreaterThanOrEqual(found?.p50_ms ?? 0)
  })

  test('rejects if answers fail', async () => {
    const effort = { rounds: 1, seconds: 1 }
    await expect(measure([{ name: 'x', url, next: () => tool('x', {}, '/tool') }], 1, effort)).rejects.toThrow(
      'isError',
    )
    await expect(measure([{ name: 'x', url, next: () => post('/later', {}) }], 1, effort)).rejects.toThrow('no success')
  })
})

describe('ratios', () => {
  const knowledge = [
    entry('augment_query over REST', 6, 5_000),
    entry('augment_query over REST', 9, 50_000),
    entry('augment_query over REST', 90, 50_000, 1, 16),
  ]
  const interactions = [entry('track_interaction', 4, 10_000, 2), entry('track_interaction', 5, 1_000_000, 2)]

  test('compare medians of sequential requests, and are null if one side was not measured', () => {
    const ratios = ratiosOf([entry('health over MCP', 1.2)], knowledge, interactions)
    expect(ratios).toMatchObject({
      mcp_over_sdk: 1.2,
      augment_50k_over_5k: 1.5,
      track_1m_over_10k: 1.25,
      track_over_insert: 2,
    })
    expect(ratios.tools_list_over_sdk).toBeNull()
    expect(ratios.stats_1m_over_10k).toBeNull()
  })

  test('of another run are shown next to the current ones, with the change', () => {
    const before = reportOf([], knowledge, interactions)
    const now = reportOf(
      [],
      [entry('augment_query over REST', 6, 5_000), entry('augment_query over REST', 18, 50_000)],
      interactions,
    )
    expect(formatComparison(now, before)).toMatch(/augment_50k_over_5k +1\.50 +3\.00 +100 %/)
  })

  test('are printed with all measurements', () => {
    const text = formatReport(reportOf([entry('tools/list', 2)], knowledge, interactions))
    expect(text).toMatch(/tools\/list +1 .* 2\.00 .* bare/)
    expect(text).toMatch(/50000 +400 +8\.00 +40 MB/)
  })
})

test('the plot is well-formed and shows every series, whatever the sizes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 1e7 }), fc.double({ min: 0.01, max: 1e4, noNaN: true })), {
        maxLength: 6,
      }),
      (points) => {
        const svg = plotReport(
          reportOf(
            [],
            points.map(([size, time]) => entry('search & more', time, size)),
            [],
          ),
        )
        expect(svg).toContain('A &lt; B')
        expect(svg).not.toMatch(/NaN|Infinity|undefined/)
        expect(svg.match(/<circle /g)?.length ?? 0).toBe(points.length)
        if (points.length > 0) expect(svg).toContain('search &amp; more')
      },
    ),
  )
})

test('seeded interactions have distinct ids, a fifth of them without an outcome', () => {
  const ids = Array.from({ length: 1000 }, (_, i) => seededId(i))
  expect(new Set(ids).size).toBe(1000)
  expect(ids[255]).toBe('01a00000-0000-7000-8000-0000000000ff')
  expect(ids.filter((_, i) => withoutOutcome(i))).toHaveLength(200)
})

test('peers in this process or a child process find the document of a query', async () => {
  const documents = Array.from({ length: 20 }, (_, i) => ({
    _id: `d${i}`,
    title: `Title ${i}`,
    text: i === 7 ? 'The quokka smiles at tourists.' : `Something else, number ${i}.`,
  }))
  const queries = [{ id: 'q', text: 'quokka smiles', judgements: new Map([['d7', 1]]) }]
  const { engines } = await comparePeers({ name: 'small', collection: 'best-practices', documents, queries })
  expect(engines.map((engine) => [engine.name, engine['ndcg@10']])).toEqual([
    ['Hybrid Coordinator, hybrid_search', 1],
    ['MiniSearch', 1],
    ['Orama', 1],
    ['MCP memory server, search_nodes', 1],
  ])
})

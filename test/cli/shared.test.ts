import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { describeError } from '../../cli/ingest/api.ts'
import { createSender } from '../../cli/ingest/batches.ts'
import { WorkEstimate } from '../../cli/ingest/estimate.ts'
import { parseOptions } from '../../cli/ingest/options.ts'
import { parseSize, parseUrl, UsageError } from '../../cli/shared/args.ts'
import { createHttpClient, HttpError, UnreachableError } from '../../cli/shared/http.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { duration } from '../../cli/shared/terminal.ts'

describe('arguments', () => {
  it('sizes and URLs', () => {
    expect(parseSize('512', 's')).toBe(512)
    expect(parseSize('512k', 's')).toBe(524_288)
    expect(parseSize('1.5 MiB', 's')).toBe(1_572_864)
    for (const bad of ['', '0', '-1', 'k', '1x', 'Infinity']) expect(() => parseSize(bad, 's')).toThrow(UsageError)
    expect(parseUrl('http://a.example:1/', 'u')).toBe('http://a.example:1')
    for (const bad of ['', 'a.example', 'ftp://a.example']) expect(() => parseUrl(bad, 'u')).toThrow(UsageError)
  })

  it('options come from arguments, then the environment, then defaults', () => {
    expect(parseOptions(['x'], {})).toMatchObject({ url: 'http://127.0.0.1:8787', key: undefined, project: 'default' })
    const env = { HYBRID_URL: 'https://e.example/', HYBRID_API_KEY: 'k' }
    expect(parseOptions(['x'], env)).toMatchObject({ url: 'https://e.example', key: 'k' })
    expect(parseOptions(['x', '--url', 'http://f.example', '--key', 'l'], env)).toMatchObject({
      url: 'http://f.example',
      key: 'l',
    })
    const npm = { npm_lifecycle_event: 'ingest', INIT_CWD: '/home/me' }
    expect(parseOptions(['work'], npm)?.input).toBe('/home/me/work')
    expect(parseOptions(['-h'], {})).toBeUndefined()
    expect(() => parseOptions(['x', '--source', ' '], {})).toThrow(UsageError)
  })
})

describe('HTTP client', () => {
  let close: (() => void) | undefined
  afterEach(() => close?.())

  async function serve(
    answers: { status: number; body?: string; headers?: Record<string, string> }[],
  ): Promise<{ url: string; hits: () => number }> {
    let hits = 0
    const server = createServer((_, response) => {
      const answer = answers[Math.min(hits++, answers.length - 1)]
      response.writeHead(answer?.status ?? 500, answer?.headers).end(answer?.body ?? '{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    close = () => server.close()
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hits: () => hits }
  }

  it('retries a bounded number of times, then returns the problem', async () => {
    const { url, hits } = await serve([{ status: 503, body: '{"code":"busy","detail":"later"}' }])
    const failure = await createHttpClient({ url, attempts: 3, pauseMs: 1 })
      .get('/')
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(HttpError)
    expect(failure).toMatchObject({ status: 503, message: 'later', problem: { code: 'busy' } })
    expect(hits()).toBe(3)
  })

  it('waits as long as Retry-After states', async () => {
    const pauses: number[] = []
    const { url } = await serve([
      { status: 429, headers: { 'retry-after': '0' } },
      { status: 200, body: '{"ok":true}' },
    ])
    const client = createHttpClient({ url, onRetry: (_, pause) => pauses.push(pause) })
    expect(await client.post('/', {})).toEqual({ ok: true })
    expect(pauses).toEqual([0])
  })

  it('does not retry errors of the caller', async () => {
    const { url, hits } = await serve([{ status: 400, body: '<html>' }])
    await expect(createHttpClient({ url }).get('/')).rejects.toMatchObject({ status: 400 })
    expect(hits()).toBe(1)
  })

  it('does not wait for a coordinator that never answered', async () => {
    const { url } = await serve([])
    close?.()
    await expect(createHttpClient({ url: url.replace(/\d+$/, '1') }).get('/')).rejects.toBeInstanceOf(UnreachableError)
  })
})

describe('batches', () => {
  it('stop at the first error that does not concern a single part', async () => {
    const sender = createSender<number>({
      limits: { parts: 1, items: 10, bytes: 100 },
      measure: () => ({ items: 1, bytes: 1 }),
      send: () => Promise.reject(new HttpError(401, { detail: 'no key' })),
      reject: () => expect.unreachable(),
    })
    await expect(
      (async () => {
        for (let i = 0; i < 50; i++) await sender.add(i)
        await sender.flush()
      })(),
    ).rejects.toMatchObject({ status: 401 })
  })

  it('stop immediately when the project is full, because no single part is at fault', async () => {
    let requests = 0
    const sender = createSender<number>({
      limits: { parts: 400, items: 400, bytes: 10_000 },
      measure: () => ({ items: 1, bytes: 1 }),
      send: () => {
        requests++
        return Promise.reject(new HttpError(413, { detail: 'full', field: 'PROJECT_ITEMS' }))
      },
      reject: () => expect.unreachable(),
    })
    await expect(
      (async () => {
        for (let i = 0; i < 1_000; i++) await sender.add(i)
        await sender.flush()
      })(),
    ).rejects.toMatchObject({ status: 413 })
    expect(requests).toBeLessThanOrEqual(3)
  })

  it('reject parts that no request can carry, and errors name the field', async () => {
    const rejected: number[] = []
    const sent: number[][] = []
    const sender = createSender<number>({
      limits: { parts: 3, items: 5, bytes: 100 },
      measure: (n) => ({ items: n, bytes: 1 }),
      send: async (parts) => {
        sent.push(parts)
      },
      reject: (n) => rejected.push(n),
    })
    for (const n of [1, 9, 4, 1, 1, 1, 1]) await sender.add(n)
    await sender.flush()
    expect(rejected).toEqual([9])
    expect(sent).toEqual([[1, 4], [1, 1, 1], [1]])
    expect(describeError({ code: 'invalid_input', detail: 'items[3].fields.title is missing.' })).toBe(
      'title is missing.',
    )
    expect(describeError({ field: 'documents[0].items[2].key', detail: 'Two items have this key.' })).toBe(
      'items[2].key: Two items have this key.',
    )
    expect(describeError(undefined)).toContain('without a reason')
  })
})

describe('progress', () => {
  it('is a bar with rate and remaining time on a terminal, and an occasional line elsewhere', () => {
    for (const isTTY of [true, false]) {
      let now = 0
      let out = ''
      const stream = { isTTY, columns: 100, write: (text: string) => (out += text) }
      const progress = new Progress({ noun: 'files', total: 100, stream, now: () => now })
      for (let done = 1; done <= 50; done++) {
        now += 200
        progress.update(done, `${done * 3} chunks`)
      }
      progress.finish()
      expect(out).toContain('50/100 files · 5/s · 150 chunks · 10 s left')
      expect(out.includes('━')).toBe(isTTY)
      if (!isTTY) expect(out.split('\n').length - 1).toBe(2)
    }
    expect([0.84, 42.2, 200].map(duration)).toEqual(['0.8 s', '42 s', '3 min 20 s'])
  })

  it('excludes earlier work from the rate', () => {
    let now = 0
    let out = ''
    const stream = { isTTY: true, columns: 80, write: (text: string) => (out += text) }
    const progress = new Progress({ noun: 'vectors', total: 100, from: 50, stream, now: () => now })
    now += 5_000
    progress.update(60, '')
    expect(out).toContain('60/100 vectors · 2/s · 20 s left')
  })

  it('estimates within a half of the true value from the first answer on, and soon within a fifth', () => {
    const files = Array.from({ length: 900 }, (_, i) => ({ path: `f${i}`, bytes: 500 + ((i * 7_919) % 20_000) }))
    const work = new WorkEstimate()
    for (const { path, bytes } of files) work.add(path, bytes)
    for (let i = 0; i < 300; i++) work.add(`picture${i}`, 50_000)
    const truth = files.reduce((sum, { bytes }) => sum + bytes, 0)
    // Three concurrent requests of 30 files share a coordinator with a constant rate.
    const waiting = Array.from({ length: files.length / 30 }, (_, i) => files.slice(i * 30, i * 30 + 30))
    const flying: { batch: typeof files; left: number }[] = []
    for (let i = 0; i < 300; i++) {
      work.drop(`picture${i}`)
      work.settle(`picture${i}`)
    }
    let seconds = 0
    let estimates = 0
    while (waiting.length + flying.length > 0) {
      while (flying.length < 3 && waiting.length > 0) {
        const batch = waiting.shift() ?? []
        for (const { path } of batch) work.send(path)
        flying.push({ batch, left: batch.reduce((sum, { bytes }) => sum + bytes, 0) })
      }
      const step = Math.min(...flying.map(({ left }) => left))
      seconds += step * flying.length
      for (const flight of flying) flight.left -= step
      for (const { batch } of flying.filter(({ left }) => left === 0)) for (const { path } of batch) work.settle(path)
      flying.splice(0, flying.length, ...flying.filter(({ left }) => left > 0))
      expect(work.share).toBeGreaterThan(0)
      estimates++
      // Requests that started together end together, which is the worst case for the estimate.
      expect(Math.abs(seconds / work.share / truth - 1)).toBeLessThan(estimates < 5 ? 1 / 2 : 1 / 5)
    }
    expect(estimates).toBeGreaterThan(20)
    expect(work.share).toBe(1)
  })
})

/** The coordinator's ingestion API in memory, on `node:http`: enough to run the command against. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

interface StoredItem {
  key: string
  fields: Record<string, unknown>
}
interface StoredDocument {
  hash: string
  items: Map<string, StoredItem>
}
interface Problem {
  status: number
  code: string
  detail: string
  field?: string
}

/** A running fake coordinator. */
export interface FakeCoordinator {
  url: string
  /** Documents of codebase-context. */
  documents: Map<string, StoredDocument>
  /** Documents of another collection. */
  documentsOf: (collection: string) => Map<string, StoredDocument>
  items: Map<string, StoredItem>
  /** Requests by method and path, in order. */
  requests: string[]
  /** Maximum number of concurrent requests. */
  peak: () => number
  /** Called before a request is answered. May return a problem, or `drop` to break the connection. */
  intercept: (
    path: string,
    body: Record<string, unknown>,
  ) => Problem | 'drop' | undefined | Promise<Problem | 'drop' | undefined>
  /** Duration of each answer in milliseconds. */
  delay: number
  apiKey?: string
  close(): Promise<void>
}

const MAX_BODY = 2 * 1024 * 1024

/** Starts a fake on a free port. */
export async function startFake(): Promise<FakeCoordinator> {
  let inFlight = 0
  const bySource = new Map<string, number>()
  const others = new Map<string, Map<string, StoredDocument>>()
  let peak = 0
  const fake: FakeCoordinator = {
    url: '',
    documents: new Map(),
    documentsOf: (collection) => {
      if (collection === 'codebase-context') return fake.documents
      const documents = others.get(collection) ?? new Map<string, StoredDocument>()
      others.set(collection, documents)
      return documents
    },
    items: new Map(),
    requests: [],
    peak: () => peak,
    intercept: () => undefined,
    delay: 0,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }

  function putDocuments(body: {
    collection: string
    source: string
    documents: { path: string; hash: string; items: StoredItem[] }[]
  }) {
    if (body.collection === 'codebase-context') bySource.set(body.source, Date.now())
    const stored = fake.documentsOf(body.collection)
    const results = body.documents.map(({ path, hash, items }) => {
      const keys = new Set(items.map((item) => item.key))
      if (keys.size !== items.length)
        return { path, status: 'rejected', error: { code: 'invalid_input', detail: 'keys are not unique' } }
      if (items.some((item) => String(item.fields.code_snippet).includes('REJECT ME'))) {
        return { path, status: 'rejected', error: { code: 'invalid_input', detail: 'not wanted' } }
      }
      const before = stored.get(path)?.items ?? new Map<string, StoredItem>()
      let added = 0
      let updated = 0
      for (const item of items) {
        const old = before.get(item.key)
        if (!old) added++
        else if (JSON.stringify(old) !== JSON.stringify(item)) updated++
      }
      const removed = [...before.keys()].filter((key) => !keys.has(key)).length
      stored.set(path, { hash, items: new Map(items.map((item) => [item.key, item])) })
      return { path, status: 'indexed', added, updated, unchanged: items.length - added - updated, removed }
    })
    return { results, totals: {} }
  }

  function putItems(body: { items: { key?: string; fields: Record<string, unknown> }[] }) {
    const results = body.items.map((item, index) => {
      if (item.fields.title === undefined)
        return { index, status: 'rejected', error: { code: 'invalid_input', field: 'title', detail: 'is required' } }
      const key = item.key ?? JSON.stringify(item.fields)
      const old = fake.items.get(key)
      const status = !old
        ? 'indexed'
        : JSON.stringify(old.fields) === JSON.stringify(item.fields)
          ? 'unchanged'
          : 'updated'
      fake.items.set(key, { key, fields: item.fields })
      return { index, id: key, status }
    })
    return { results, totals: {} }
  }

  function answer(path: string, query: URLSearchParams, body: Record<string, unknown>, bytes: number): unknown {
    if (bytes > MAX_BODY) return { status: 413, code: 'too_large', detail: 'body too large' } satisfies Problem
    if (path === '/knowledge/documents' && 'documents' in body) {
      const documents = body.documents as { items: unknown[] }[]
      const items = documents.reduce((sum, one) => sum + one.items.length, 0)
      if (documents.length > 100 || items > 400)
        return { status: 400, code: 'invalid_input', detail: 'over a limit' } satisfies Problem
      return putDocuments(body as never)
    }
    if (path === '/knowledge/documents') {
      const at = Number(query.get('cursor') ?? 0)
      const all = [...fake.documentsOf(query.get('collection') ?? '')]
      // Small pages, so that the cursor is used.
      const page = all.slice(at, at + 7)
      const documents = page.map(([name, one]) => ({ path: name, hash: one.hash, items: one.items.size }))
      return { documents, next_cursor: at + 7 < all.length ? String(at + 7) : null }
    }
    if (path === '/knowledge/documents/delete') {
      const stored = fake.documentsOf(String(body.collection))
      let documents = 0
      let items = 0
      for (const name of body.paths as string[]) {
        items += stored.get(name)?.items.size ?? 0
        if (stored.delete(name)) documents++
      }
      return { documents, items }
    }
    if (path === '/knowledge/items') return putItems(body as never)
    if (path === '/interactions/import') {
      const { interactions } = body as { interactions: unknown[] }
      return { interaction_ids: [], imported: interactions.length, unchanged: 0 }
    }
    if (path === '/knowledge/sources') {
      const sources = [...bySource].flatMap(([source, at]) =>
        fake.documents.size > 0
          ? [{ source, collection: 'codebase-context', documents: fake.documents.size, written_at: at }]
          : [],
      )
      return { sources, next_cursor: null }
    }
    if (path === '/knowledge/items/best-practices') {
      const items = [...fake.items.values()].map(({ key, fields }) => ({
        ...{ id: key, key, fields, provenance: 'human', source: null, path: null },
      }))
      return { items, next_cursor: null }
    }
    if (path.startsWith('/knowledge/items/')) {
      const id = path.split('/').pop() ?? ''
      if (!fake.items.delete(id)) return { status: 404, code: 'not_found', detail: 'no such item' } satisfies Problem
      return { deleted: id }
    }
    return { status: 404, code: 'not_found', detail: 'no such route' } satisfies Problem
  }

  const server: Server = createServer((request, response) => {
    inFlight++
    peak = Math.max(peak, inFlight)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      setTimeout(async () => {
        inFlight--
        const url = new URL(request.url ?? '/', 'http://fake')
        const raw = Buffer.concat(chunks)
        const body: Record<string, unknown> = raw.length > 0 ? JSON.parse(raw.toString()) : {}
        fake.requests.push(`${request.method} ${url.pathname}`)
        const unauthorised = fake.apiKey !== undefined && request.headers['x-api-key'] !== fake.apiKey
        const intercepted = unauthorised
          ? { status: 401, code: 'unauthorized', detail: 'an API key is needed' }
          : await fake.intercept(url.pathname, body)
        if (intercepted === 'drop') {
          request.socket.destroy()
          return
        }
        const result = intercepted ?? answer(url.pathname, url.searchParams, body, raw.length)
        const status = typeof result === 'object' && result !== null && 'status' in result ? Number(result.status) : 200
        response.writeHead(status, { 'content-type': status === 200 ? 'application/json' : 'application/problem+json' })
        response.end(JSON.stringify(result))
      }, fake.delay)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return fake
}

/** Services for learning tests: the real database and bucket, a knowledge store and an embedder in memory. */
import { env } from 'cloudflare:workers'
import { openDatabase } from '../../src/database/database.ts'
import type { Embedder } from '../../src/inference/embedding/embedder.ts'
import { runJob } from '../../src/jobs/run-job.ts'
import type { CollectionName } from '../../src/knowledge/collections.ts'
import type {
  CollectionScope,
  Credit,
  CreditUpdate,
  KnowledgeStore,
  PreparedItem,
  SearchRequest,
  SearchResponse,
  StoredItem,
  WriteStatus,
} from '../../src/knowledge/stores/store.ts'
import { meterBucket } from '../../src/metering.ts'
import { getJob } from '../../src/operations/administration/get-job.ts'
import { invoke } from '../../src/operations/invoke.ts'
import type { Caller, Operation } from '../../src/operations/operation.ts'
import type { Services } from '../../src/services.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { words } from '../../src/text/words.ts'

/** Bindings that these tests use. */
export const bindings = env

export const anyone: Caller = { id: 'tester', scopes: ['admin'], project: null }

/** Embeds nothing: every vector is null, so that only keywords count. */
export const silentEmbedder: Embedder = {
  space: { name: 'silent', dimensions: 16 },
  embed: async (texts) => texts.map(() => ({ vector: null, coverage: 0 })),
}

interface Entry {
  item: PreparedItem
  credit: Credit
  creditVersion: number
}

/** A knowledge store that fulfils the contract of the interface, with the simplest keyword search. */
export class MemoryStore implements KnowledgeStore {
  readonly name = 'memory'
  readonly collections = new Map<string, Map<string, Entry>>()
  writes = 0

  entries(scope: CollectionScope): Map<string, Entry> {
    const key = `${scope.project}/${scope.collection}`
    const found = this.collections.get(key) ?? new Map<string, Entry>()
    this.collections.set(key, found)
    return found
  }

  async upsert(scope: CollectionScope, items: readonly PreparedItem[]): Promise<WriteStatus[]> {
    return items.map((item) => {
      const entries = this.entries(scope)
      const known = entries.get(item.id)
      if (known?.item.hash === item.hash && known.item.provenance === item.provenance) return 'unchanged'
      this.writes++
      entries.set(item.id, {
        item,
        credit: known?.credit ?? { successes: 0, partials: 0, failures: 0 },
        creditVersion: known?.creditVersion ?? 0,
      })
      return known ? 'updated' : 'indexed'
    })
  }

  async get(scope: CollectionScope, ids: readonly string[]): Promise<(StoredItem | null)[]> {
    return ids.map((id) => {
      const entry = this.entries(scope).get(id)
      return entry ? stored(scope.collection, entry) : null
    })
  }

  async list(scope: CollectionScope, options: { cursor?: string; limit: number }) {
    const all = [...this.entries(scope).values()].sort((a, b) => (a.item.id < b.item.id ? -1 : 1))
    const rest = all.filter(({ item }) => options.cursor === undefined || item.id > options.cursor)
    const entries = rest.slice(0, options.limit).map((entry) => stored(scope.collection, entry))
    return { entries, nextCursor: rest.length > entries.length ? (entries.at(-1)?.id ?? null) : null }
  }

  async delete(scope: CollectionScope, ids: readonly string[]): Promise<number> {
    return ids.filter((id) => this.entries(scope).delete(id)).length
  }

  async clear(scope: CollectionScope) {
    const items = this.entries(scope).size
    this.entries(scope).clear()
    return { documents: 0, items }
  }

  async search(scope: CollectionScope, request: SearchRequest): Promise<SearchResponse> {
    const asked = new Set(words(request.text))
    const candidates = [...this.entries(scope).values()]
      .map((entry) => ({
        item: stored(scope.collection, entry),
        shared: words(`${entry.item.title} ${entry.item.body}`).filter((word) => asked.has(word)).length,
      }))
      .filter(({ shared }) => shared > 0)
      .sort((a, b) => b.shared - a.shared || (a.item.id < b.item.id ? -1 : 1))
      .slice(0, request.limit)
      .map(({ item }) => ({ item, keyword: null, cosine: null }))
    const credit = { successes: 0, partials: 0, failures: 0 }
    return {
      candidates,
      items: this.entries(scope).size,
      terms: [],
      totalIdf: 0,
      attainable: 0,
      averageLength: 0,
      credit,
      degraded: [],
    }
  }

  async setCredit(scope: CollectionScope, updates: readonly CreditUpdate[]): Promise<void> {
    for (const { id, version, ...credit } of updates) {
      const entry = this.entries(scope).get(id)
      if (!entry || version <= entry.creditVersion) continue
      entry.credit = credit
      entry.creditVersion = version
    }
  }

  async statistics(scope: CollectionScope) {
    return { items: this.entries(scope).size, documents: 0, withVector: 0, pending: 0, space: null }
  }

  async replaceDocuments(): Promise<never> {
    throw new Error('The learning side stores no documents.')
  }

  async listDocuments(): Promise<never> {
    throw new Error('The learning side stores no documents.')
  }

  async deleteDocuments(): Promise<never> {
    throw new Error('The learning side stores no documents.')
  }
}

function stored(collection: CollectionName, { item, credit }: Entry): StoredItem {
  return {
    id: item.id,
    collection,
    key: item.key,
    fields: { ...item.fields },
    provenance: item.provenance,
    title: item.title,
    body: item.body,
    passages: [...item.passages],
    source: null,
    path: null,
    createdAt: 0,
    updatedAt: 0,
    credit,
  }
}

/** A clock that advances only when told to. */
export class Clock {
  time: number
  constructor(time = 1_800_000_000_000) {
    this.time = time
  }
  advance(ms: number): void {
    this.time += ms
  }
}

export interface TestServices extends Services {
  readonly knowledge: MemoryStore
  readonly clock: Clock
  /** Enqueued job ids. */
  readonly enqueued: string[]
}

/** Services with the real database and bucket; everything else is in memory and deterministic. */
export function testServices(
  options: { settings?: Record<string, string>; localModel?: Services['localModel'] } = {},
): TestServices {
  const clock = new Clock()
  const enqueued: string[] = []
  const settings: Settings = readSettings({ ...options.settings })
  return {
    settings,
    database: openDatabase(bindings.DB),
    knowledge: new MemoryStore(),
    embedder: silentEmbedder,
    localModel: options.localModel ?? null,
    conversations: unused('conversations'),
    datasets: meterBucket(bindings.DATASETS),
    enqueueJobs: async (ids) => {
      enqueued.push(...ids)
    },
    now: () => clock.time,
    random: () => 0.5,
    clock,
    enqueued,
  }
}

function unused<T extends object>(name: string): T {
  return new Proxy({} as T, {
    get: () => {
      throw new Error(`${name} isn't part of this test.`)
    },
  })
}

let projects = 0

/** A unique project name within this file. */
export function freshProject(): string {
  return `project-${++projects}`
}

/** Runs an operation like a surface. */
export async function call<O>(
  operation: unknown,
  services: Services,
  input: object,
  caller: Caller = anyone,
): Promise<O> {
  return (await invoke(operation as Operation, services, input, caller)) as O
}

/** Runs an operation that starts a job, and the job to its end. Returns its result. */
export async function finish<O>(operation: unknown, services: Services, input: object): Promise<O> {
  const { job_id, status } = await call<{ job_id: string; status: string }>(operation, services, input)
  while (status !== 'done') {
    const run = await runJob(services, job_id)
    if (run?.status === 'done') break
    if (run?.status !== 'unfinished') throw new Error(`The job is ${run?.status ?? 'in other hands'}: ${run?.error}.`)
  }
  return (await call<{ result: O }>(getJob, services, { job_id })).result
}

/** Minimal valid input of track_interaction. */
export function exchange(project: string, overrides: object = {}): object {
  return {
    project,
    query: 'How do I configure the reverse proxy?',
    response: 'Edit the server block, then reload.',
    agent_type: 'remote',
    model_used: 'test-model',
    ...overrides,
  }
}

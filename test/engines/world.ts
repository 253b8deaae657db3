/** The whole Worker with one configured engine, which a switch can make fail. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import type { Env } from '../../src/env.ts'
import { embeddedStore } from '../../src/knowledge/stores/embedded.ts'
import type { TransferItem } from '../../src/knowledge/stores/store.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { Services } from '../../src/services.ts'
import { createApp } from '../../src/transports/app.ts'
import { type Fault, failing, type Sound } from './faults.ts'
import { progress } from './virtual-time.ts'

/** A request to the engine: over HTTP, or through a binding. */
export interface Asked {
  readonly path: string
  readonly body: unknown
}

/** The answers of a healthy engine. */
export type Sounds = (asked: Asked) => Sound

export interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly text: string
}

const app = createApp(buildServices, OPERATIONS)
let worlds = 0

export class World {
  readonly project: string
  readonly host: string
  /** The engine's current fault; null: it is healthy. */
  fault: Fault | null = null
  asked: Asked[] = []
  readonly #sounds: Sounds
  readonly #bindings: Env

  /** @param variables configure the engine, given its address and answers */
  constructor(sounds: Sounds, variables: (world: World) => Record<string, unknown>) {
    const number = ++worlds
    this.project = `engine-${number}`
    // An open breaker stays with its server, so each case has its own.
    this.host = `http://engine-${number}.test:6333`
    this.#sounds = sounds
    this.#bindings = {
      ...env,
      JOBS: { send: async () => undefined, sendBatch: async () => undefined },
      ROUTING_EXPLORATION: '0',
      RELEVANCE_THRESHOLD: '0',
      // A real server does not answer in virtual time.
      QDRANT_URL: undefined,
      ...variables(this),
    } as unknown as Env
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = input instanceof Request ? input : new Request(input, { ...init, signal: null })
      const text = await request.clone().text()
      const asked = { path: new URL(request.url).pathname, body: text === '' ? null : JSON.parse(text) }
      return this.answer(asked, init?.signal ?? (input instanceof Request ? input.signal : null), request)
    })
  }

  /** The engine's handling of a request. Stubs of whole servers replace it. */
  sound: (asked: Asked, request: Request | null) => Promise<Response> = async (asked) => {
    const { body, type = 'application/json' } = this.#sounds(asked)
    return new Response(body, { headers: { 'content-type': type } })
  }

  async answer(asked: Asked, signal: AbortSignal | null | undefined, request: Request | null): Promise<Response> {
    this.asked.push(asked)
    progress()
    return this.fault === null ? this.sound(asked, request) : failing(this.fault, this.#sounds(asked), signal)
  }

  get services(): Services {
    return buildServices(this.#bindings)
  }

  /** Calls the Worker over REST. */
  async call(path: string, body: object): Promise<Answered> {
    const response = await app.request(
      `http://localhost${path}`,
      {
        method: 'POST',
        headers: { host: 'localhost', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      },
      this.#bindings,
    )
    const text = await response.text()
    return { status: response.status, body: parsed(text), text }
  }

  /** Stores an item in best-practices. */
  store(title: string, description: string): Promise<Answered> {
    const items = [{ key: title, fields: { title, description } }]
    return this.call('/knowledge/items', { project: this.project, collection: 'best-practices', items })
  }

  /** Rows of a table in the database that belong to this world. */
  async rows(table: 'interactions' | 'routing_decisions'): Promise<Record<string, unknown>[]> {
    const { results } = await env.DB.prepare(`SELECT * FROM ${table} WHERE project = ?`).bind(this.project).all()
    return results
  }

  /** All items in best-practices, with their vectors. */
  async items(): Promise<TransferItem[]> {
    const store = this.services.stores?.qdrant ?? embeddedStore(env.KNOWLEDGE)
    const scope = { project: this.project, collection: 'best-practices' as const }
    return (await store.exportItems(scope, { limit: 100 })).entries
  }

  /** Embeds pending items, like the job. */
  async embedPending(): Promise<boolean> {
    const { knowledge } = this.services
    return (await knowledge.embedPending?.({ project: this.project, collection: 'best-practices' })) ?? true
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

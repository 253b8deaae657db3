/**
 * Embeds items without vectors, in threads of this machine, while text is still being sent. Stored text can be searched
 * by keyword immediately; vectors follow.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MINILM_SPACE } from '../../src/inference/embedding/minilm/model.ts'
import { type HttpClient, HttpError } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { EmbedPool } from './embed-pool.ts'

/** Number of texts per request. */
const PAGE = 100
/** Pause if there is nothing to embed yet, in milliseconds. */
const IDLE_MS = 250
/**
 * Number of passes over the collection after all text is stored. Later changes by other writers are left to the server.
 */
const MAX_LAST_PASSES = 3

/** The number of embedded items, and the reason if some are missing. */
export interface VectorReport {
  stored: number
  /** From the start of the run to the last vector. */
  seconds: number
  left?: string
}

interface Work {
  space: string
  by: 'client' | 'server'
  items: { id: string; hash: string; text: string }[]
  next_cursor: string | null
}

/** The collection to embed, and how to access it. */
export interface EmbedOptions {
  readonly http: HttpClient
  readonly project: string
  readonly collection: string
  /** Whether the user has interrupted the run. */
  readonly stopped: () => boolean
  readonly pool?: EmbedPool
}

export class VectorFeeder {
  readonly #options: EmbedOptions
  readonly #pool: EmbedPool
  readonly #started = performance.now()
  readonly #report: VectorReport = { stored: 0, seconds: 0 }
  readonly #run: Promise<void>
  #textStored = false
  readonly #idle = new AbortController()
  #cancelled = false
  #progress: Progress | null = null

  /** Starts immediately. From its first request on, the server leaves the collection's vectors to this run. */
  constructor(options: EmbedOptions) {
    this.#options = options
    this.#pool = options.pool ?? new EmbedPool()
    this.#run = this.#feed().catch((error: unknown) => {
      this.#report.left = reasonOf(error)
    })
  }

  /**
   * Waits for the vectors of all stored items.
   * @param expected total number of vectors, for the progress display
   * @returns undefined if there were none to compute, or the server computes them itself
   */
  async finish(expected: number): Promise<VectorReport | undefined> {
    this.#textStored = true
    this.#idle.abort()
    const from = this.#report.stored
    if (expected > from) this.#progress = new Progress({ noun: 'vectors', total: expected, from })
    await this.#run
    this.#progress?.finish()
    await this.#pool.close()
    return this.#report.stored > 0 || this.#report.left ? this.#report : undefined
  }

  /** Ends without waiting. */
  async cancel(): Promise<void> {
    this.#cancelled = true
    await this.#pool.close()
  }

  async #feed(): Promise<void> {
    let cursor: string | null = null
    let lastPasses = 0
    let found = 0
    let page = this.#fetch(null)
    while (!this.#cancelled && !this.#options.stopped()) {
      const began = this.#textStored
      const work = await page
      if (work.by === 'server' || work.space !== MINILM_SPACE.name) return
      found += work.items.length
      cursor = work.next_cursor
      // The next page is fetched while this one is embedded.
      if (cursor !== null) page = this.#fetch(cursor)
      if (work.items.length > 0) await this.#embed(work)
      if (cursor !== null) continue
      if (began && (found === 0 || ++lastPasses === MAX_LAST_PASSES)) return
      if (found === 0) await sleep(IDLE_MS, undefined, { signal: this.#idle.signal }).catch(() => undefined)
      found = 0
      page = this.#fetch(null)
    }
  }

  #fetch(cursor: string | null): Promise<Work> {
    const { http, project, collection } = this.#options
    const page = http.post<Work>('/knowledge/vectors/pending', {
      project,
      collection,
      limit: PAGE,
      ...(cursor !== null && { cursor }),
    })
    // It is awaited later. Until then, a rejection must not count as unhandled.
    page.catch(() => undefined)
    return page
  }

  async #embed({ space, items }: Work): Promise<void> {
    const { http, project, collection } = this.#options
    const vectors = await this.#pool.embed(items.map(({ text }) => text))
    await http.post('/knowledge/vectors', {
      project,
      collection,
      space,
      vectors: items.map(({ id, hash }, i) => ({ id, hash, vector: vectors[i] ?? null })),
    })
    this.#report.stored += items.length
    this.#report.seconds = Math.round(performance.now() - this.#started) / 1_000
    this.#progress?.update(this.#report.stored, '')
  }
}

/**
 * Embeds all items of a collection without vectors.
 * @param expected total number of vectors, for the progress display
 * @param pool that embeds; closed at the end. Default: threads of this machine
 * @throws Error if the coordinator rejected them
 */
export async function embedAll(
  http: HttpClient,
  project: string,
  collection: string,
  expected: number,
  pool?: EmbedPool,
): Promise<void> {
  const feeder = new VectorFeeder({ http, project, collection, stopped: () => false, ...(pool && { pool }) })
  const report = await feeder.finish(expected)
  if (report?.left) throw new Error(report.left)
}

/** Why the server must embed the rest. */
function reasonOf(error: unknown): string | undefined {
  // Older coordinators computed vectors themselves, or listed pending items by GET.
  if (error instanceof HttpError && (error.status === 404 || error.status === 405)) return undefined
  return error instanceof Error ? error.message : String(error)
}

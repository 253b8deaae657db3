/**
 * Embeds what the coordinator has no vector for, in threads of this machine, while the text is still being sent. Text can be searched by
 * its words from the moment it is stored; vectors follow.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MINILM_SPACE } from '../../src/inference/embedding/minilm/model.ts'
import { type HttpClient, HttpError } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { EmbedPool } from './embed-pool.ts'

/** Texts of one request. */
const PAGE = 100
/** Pause while there is nothing to embed yet, in milliseconds. */
const IDLE_MS = 250
/** Times that the collection is gone through once all text is stored: what another writer changes meanwhile is left to the server. */
const MAX_LAST_PASSES = 3

/** What was embedded, and why not everything where that is so. */
export interface VectorReport {
  stored: number
  /** From the beginning of the run to the last vector. */
  seconds: number
  left?: string
}

interface Work {
  space: string
  by: 'client' | 'server'
  items: { id: string; hash: string; text: string }[]
  next_cursor: string | null
}

/** Where vectors are missing, and how to reach it. */
export interface EmbedOptions {
  readonly http: HttpClient
  readonly project: string
  readonly collection: string
  /** Whether the person has interrupted the run. */
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

  /** Begins at once; the server leaves the collection's vectors to this run from its first request on. */
  constructor(options: EmbedOptions) {
    this.#options = options
    this.#pool = options.pool ?? new EmbedPool()
    this.#run = this.#feed().catch((error: unknown) => {
      this.#report.left = reasonOf(error)
    })
  }

  /**
   * Waits for the vectors of all that is stored.
   * @param expected how many vectors there will be, for the progress
   * @returns undefined when there were none to compute, or the server computes them itself
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
      // The next page comes while this one is embedded.
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
    // It is awaited later; until then a rejection must not count as unhandled.
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
 * Embeds everything that a collection has no vector for.
 * @param expected how many vectors there will be, for the progress
 * @param pool what embeds; closed at the end. Left out: threads of this machine
 * @throws Error when the coordinator didn't take them
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

/** Why the server has to embed the rest. */
function reasonOf(error: unknown): string | undefined {
  // A coordinator of before this command computed vectors, or gave what waits by GET.
  if (error instanceof HttpError && (error.status === 404 || error.status === 405)) return undefined
  return error instanceof Error ? error.message : String(error)
}

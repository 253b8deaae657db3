/**
 * A pool of threads that embed texts.
 * @module
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { EmbedAnswer, EmbedRequest } from './embed-worker.ts'

/** Maximum number of threads. Each loads the model, 24 MB. */
const MAX_THREADS = 8
/** Number of texts per message: few, so that all threads finish at about the same time. */
const GROUP = 4

interface Waiting {
  readonly request: EmbedRequest
  readonly resolve: (vectors: (string | null)[]) => void
  readonly reject: (error: unknown) => void
}

/** A pool of threads, which start with the first text. */
export class EmbedPool {
  readonly #threads: number
  #idle: Worker[] = []
  #all: Worker[] = []
  readonly #queue: Waiting[] = []
  readonly #running = new Map<Worker, Waiting>()
  #failure: unknown = null
  #next = 0

  constructor(threads: number = Math.min(MAX_THREADS, availableParallelism())) {
    this.#threads = threads
  }

  /**
   * The vectors of texts in order, in the format of `POST /knowledge/vectors`.
   * @throws Error if a thread fails, e.g. because the weights are damaged
   */
  async embed(texts: readonly string[]): Promise<(string | null)[]> {
    if (this.#all.length === 0 && texts.length > 0) this.#start()
    const groups: Promise<(string | null)[]>[] = []
    for (let at = 0; at < texts.length; at += GROUP) {
      const request = { id: this.#next++, texts: texts.slice(at, at + GROUP) }
      groups.push(
        new Promise((resolve, reject) => {
          this.#queue.push({ request, resolve, reject })
        }),
      )
    }
    this.#dispatch()
    return (await Promise.all(groups)).flat()
  }

  /** Ends the threads. Work in progress is lost. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()))
    this.#all = []
    this.#idle = []
  }

  #start(): void {
    for (let i = 0; i < this.#threads; i++) {
      const worker = new Worker(new URL('./embed-worker.ts', import.meta.url))
      worker.on('message', ({ vectors }: EmbedAnswer) => {
        this.#running.get(worker)?.resolve(vectors)
        this.#running.delete(worker)
        this.#idle.push(worker)
        this.#dispatch()
      })
      worker.on('error', (error) => {
        this.#failure = error
        this.#running.get(worker)?.reject(error)
        this.#running.delete(worker)
        this.#dispatch()
      })
      this.#all.push(worker)
      this.#idle.push(worker)
    }
  }

  #dispatch(): void {
    if (this.#failure) for (const { reject } of this.#queue.splice(0)) reject(this.#failure)
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle.pop()
      const waiting = this.#queue.shift()
      if (!worker || !waiting) return
      this.#running.set(worker, waiting)
      worker.postMessage(waiting.request)
    }
  }
}

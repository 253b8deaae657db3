/**
 * Loads the model once for each isolate, and without blocking requests that do not need it.
 * @module
 */
import { MiniLm } from './model.ts'

/** A load that has not ended after this died with the request that began it, in milliseconds. */
const LOAD_MS = 15_000
/** After a failed load the next one begins this much later, in milliseconds; twice as much after each further one. */
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 600_000

/** What the loader reaches. */
export interface WeightsSource {
  /** kernel.wasm, compiled. */
  readonly kernel: WebAssembly.Module
  /**
   * Opens the weights file.
   * @throws Error when there is none
   */
  open(): Promise<AsyncIterable<Uint8Array>>
  /** Milliseconds since 1970. */
  now(): number
}

export class ModelLoader {
  readonly #source: WeightsSource
  #model: MiniLm | null = null
  #attempt: { readonly since: number; readonly promise: Promise<MiniLm | null> } | null = null
  #failures = 0
  #failedAt = 0
  #failure: string | null = null

  constructor(source: WeightsSource) {
    this.#source = source
  }

  /** The model; null until it is loaded. */
  get model(): MiniLm | null {
    return this.#model
  }

  /** Why the latest load failed; null when none did. */
  get failure(): string | null {
    return this.#failure
  }

  /**
   * Begins to load unless that is done, under way, or has just failed.
   * @returns the model, or null when it can't be loaded (now); never rejects
   */
  load(): Promise<MiniLm | null> {
    if (this.#model) return Promise.resolve(this.#model)
    const now = this.#source.now()
    if (this.#attempt && now - this.#attempt.since < LOAD_MS) return this.#attempt.promise
    // An attempt that never ended counts as failed: on a plan with little CPU its request was ended.
    if (this.#attempt) this.#fail('it did not end', this.#attempt.since + LOAD_MS)
    if (this.#failures > 0 && now < this.#failedAt + this.#pause) return Promise.resolve(null)
    const attempt = { since: now, promise: this.#read() }
    this.#attempt = attempt
    return attempt.promise
  }

  /** The model as soon as it is there, null after `ms` milliseconds at the latest. */
  async within(ms: number): Promise<MiniLm | null> {
    if (this.#model) return this.#model
    let timer: ReturnType<typeof setTimeout> | null = null
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ms)
    })
    const model = await Promise.race([this.load(), late])
    if (timer !== null) clearTimeout(timer)
    return model
  }

  get #pause(): number {
    return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1))
  }

  async #read(): Promise<MiniLm | null> {
    try {
      const model = await MiniLm.load(this.#source.kernel, await this.#source.open())
      this.#model = model
      this.#failures = 0
      this.#failure = null
      return model
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error), this.#source.now())
      return null
    } finally {
      this.#attempt = null
    }
  }

  #fail(reason: string, at: number): void {
    this.#attempt = null
    this.#failures++
    this.#failedAt = at
    this.#failure = reason
  }
}

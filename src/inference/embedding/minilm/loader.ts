/**
 * Loads the model once per isolate, without blocking requests that don't need it.
 * @module
 */
import { MiniLm } from './model.ts'

/** A load that takes longer than this was ended together with the request that started it, in milliseconds. */
const LOAD_MS = 15_000
/** Delay after a failed load before the next one, in milliseconds. It doubles with each further failure. */
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 600_000

/** The resources that the loader uses. */
export interface WeightsSource {
  /** kernel.wasm, compiled. */
  readonly kernel: WebAssembly.Module
  /**
   * Opens the weights file.
   * @throws Error if it doesn't exist
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

  /** Why the latest load failed; null: it didn't. */
  get failure(): string | null {
    return this.#failure
  }

  /**
   * Starts loading unless the model is loaded, loading, or has just failed to load.
   * @returns the model, or null if it can't be loaded (now); never rejects
   */
  load(): Promise<MiniLm | null> {
    if (this.#model) return Promise.resolve(this.#model)
    const now = this.#source.now()
    if (this.#attempt && now - this.#attempt.since < LOAD_MS) return this.#attempt.promise
    // An attempt that never finished counts as failed: on a plan with little CPU its request was ended.
    if (this.#attempt) this.#fail('it did not end', this.#attempt.since + LOAD_MS)
    if (this.#failures > 0 && now < this.#failedAt + this.#pause) return Promise.resolve(null)
    const attempt = { since: now, promise: this.#read() }
    this.#attempt = attempt
    return attempt.promise
  }

  /** The model as soon as it is loaded, or null after `ms` milliseconds. */
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

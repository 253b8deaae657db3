/**
 * A world in which everything goes wrong: messages are dropped, doubled and reordered, and the Worker dies between any two steps.
 */
import { openDatabase } from '../../src/database/database.ts'
import type { Services } from '../../src/services.ts'
import { bindings, type MemoryStore, type TestServices } from '../learning/support.ts'

/** Thrown by every call of a Worker that has died. */
export class Died extends Error {}

/** Lets so many steps happen, dies before or after the next one, and lets nothing happen afterwards. */
export class KillSwitch {
  #left: number
  readonly #after: boolean
  readonly #delayMs: () => number
  dead = false

  /**
   * @param steps null: never dies
   * @param after whether the last step still takes effect
   * @param delayMs how long each step waits before it takes effect, so that steps of other Workers come in between; 0: not
   */
  constructor(steps: number | null, after: boolean, delayMs: () => number = () => 0) {
    this.#left = steps ?? Number.POSITIVE_INFINITY
    this.#after = after
    this.#delayMs = delayMs
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    const wait = this.#delayMs()
    if (wait > 0) await new Promise((done) => setTimeout(done, wait))
    if (this.dead) throw new Died()
    if (this.#left-- > 0) return work()
    this.dead = true
    if (this.#after) await work()
    throw new Died()
  }
}

interface Wrapped {
  readonly inner: D1PreparedStatement
}

function wrapStatement(inner: D1PreparedStatement, kill: KillSwitch): D1PreparedStatement {
  const wrapped = {
    inner,
    bind: (...values: unknown[]) => wrapStatement(inner.bind(...values), kill),
    all: () => kill.step(() => inner.all()),
    run: () => kill.step(() => inner.run()),
    raw: () => kill.step(() => inner.raw()),
    first: () => kill.step(() => inner.first()),
  }
  return wrapped as unknown as D1PreparedStatement
}

function wrapDatabase(kill: KillSwitch): D1Database {
  const wrapped = {
    prepare: (sql: string) => wrapStatement(bindings.DB.prepare(sql), kill),
    batch: (statements: D1PreparedStatement[]) =>
      kill.step(() => bindings.DB.batch(statements.map((statement) => (statement as unknown as Wrapped).inner))),
  }
  return wrapped as unknown as D1Database
}

function wrapStore(store: MemoryStore, kill: KillSwitch): MemoryStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function' || name === 'entries') return value
      return (...parameters: unknown[]) =>
        kill.step(async () => Reflect.apply(value as (...all: unknown[]) => unknown, target, parameters))
    },
  })
}

function wrapBucket(kill: KillSwitch): R2Bucket {
  return new Proxy(bindings.DATASETS, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]) =>
        kill.step(async () => Reflect.apply(value as (...all: unknown[]) => unknown, target, parameters))
    },
  })
}

/** The services of one invocation that dies at its switch; everything stored is shared with the others. */
export function mortalServices(
  services: TestServices,
  kill: KillSwitch,
  announce: (ids: readonly string[]) => void,
): Services {
  return {
    ...services,
    database: openDatabase(wrapDatabase(kill)),
    knowledge: wrapStore(services.knowledge, kill),
    datasets: wrapBucket(kill),
    announceJobs: async (ids) => kill.step(async () => announce(ids)),
  }
}

/** A Worker that can die between any two steps. */

/** Thrown by every call of a Worker that has died. */
export class Died extends Error {}

/** Lets the given number of steps happen, dies before or after the next one, and lets nothing happen afterwards. */
export class KillSwitch {
  #left: number
  readonly #after: boolean
  readonly #delayMs: () => number
  dead = false

  /**
   * @param steps null: never dies
   * @param after whether the last step still takes effect
   * @param delayMs how long each step waits before it takes effect, so that steps of other Workers come in between; 0:
   *   no wait
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

/** The same database, with each call as a step. */
export function mortalDatabase(database: D1Database, kill: KillSwitch): D1Database {
  const wrapped = {
    prepare: (sql: string) => wrapStatement(database.prepare(sql), kill),
    batch: (statements: D1PreparedStatement[]) =>
      kill.step(() => database.batch(statements.map((statement) => (statement as unknown as Wrapped).inner))),
  }
  return wrapped as unknown as D1Database
}

/** The same object, with each method call as a step, except the given ones. */
export function mortal<T extends object>(object: T, kill: KillSwitch, spared: readonly string[] = []): T {
  return new Proxy(object, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (typeof value !== 'function') return value
      const apply = (parameters: unknown[]) =>
        Reflect.apply(value as (...all: unknown[]) => unknown, target, parameters)
      if (spared.includes(String(name))) return (...parameters: unknown[]) => apply(parameters)
      return (...parameters: unknown[]) => kill.step(async () => apply(parameters))
    },
  })
}

/**
 * The resource limits of one invocation of the Worker, and its use so far. Cloudflare terminates an invocation that
 * exceeds a limit, so long work checks the budget between its steps: once the budget is used up, it stores its position
 * and continues in the next invocation. Limits: developers.cloudflare.com/workers/platform/limits and
 * /d1/platform/limits.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** The counted resources. */
export interface Usage {
  /** Statements that D1 ran. Each statement of a batch counts. */
  readonly queries: number
  /** Rows that D1 read or wrote. */
  readonly rows: number
  /** Requests to anything outside the isolate: D1, Durable Objects, R2, queues, engines. */
  readonly calls: number
  /**
   * Milliseconds since the invocation started. A Worker's clock doesn't advance during computation, so work between two
   * calls is not included.
   */
  readonly ms: number
  /** Units of computation of about a millisecond each, reported by code that computes for long without calls. */
  readonly steps: number
  /** Maximum number of bytes held at one time, as reported by code with large memory use. */
  readonly bytes: number
}

export type Resource = keyof Usage
export type Limits = Readonly<Record<Resource, number>>

/** Plans of Cloudflare Workers. */
export const PLANS = ['paid', 'free'] as const
export type Plan = (typeof PLANS)[number]

/**
 * Limits of an invocation by plan. Rows, milliseconds and bytes are our own limits: D1 only requires them to be small.
 */
export const PLAN_LIMITS: Readonly<Record<Plan, Limits>> = {
  paid: { queries: 1_000, rows: 2_000_000, calls: 10_000, ms: 30_000, steps: 30_000, bytes: 96_000_000 },
  free: { queries: 50, rows: 200_000, calls: 50, ms: 30_000, steps: 10, bytes: 96_000_000 },
}

/** What must be left to start another step: enough for the most expensive step and for storing its result. */
const RESERVE: Limits = { queries: 400, rows: 500_000, calls: 1_500, ms: 10_000, steps: 5_000, bytes: 16_000_000 }
/** A reserve is at most this share of its limit. */
const MAX_RESERVE = 0.5

const RESOURCES = Object.keys(RESERVE) as Resource[]

export class Budget {
  readonly limits: Limits
  readonly #now: () => number
  readonly #began: number
  readonly #used = { queries: 0, rows: 0, calls: 0, steps: 0, bytes: 0 }
  #held = 0

  /** @param now milliseconds since 1970 */
  constructor(limits: Limits = PLAN_LIMITS.paid, now: () => number = Date.now) {
    this.limits = limits
    this.#now = now
    this.#began = now()
  }

  /** Adds to the use of a resource. */
  use(resource: 'queries' | 'rows' | 'calls' | 'steps', amount = 1): void {
    this.#used[resource] += amount
  }

  /** Changes the number of bytes held in memory. Negative: memory was released. */
  hold(bytes: number): void {
    this.#held += bytes
    this.#used.bytes = Math.max(this.#used.bytes, this.#held)
  }

  get used(): Usage {
    return { ...this.#used, ms: this.#now() - this.#began }
  }

  /** A resource with too little left for another step; null: there is enough of each. */
  get spent(): Resource | null {
    const used = { ...this.used, bytes: this.#held }
    return RESOURCES.find((resource) => used[resource] > this.limits[resource] - this.#reserve(resource)) ?? null
  }

  #reserve(resource: Resource): number {
    return Math.min(RESERVE[resource], this.limits[resource] * MAX_RESERVE)
  }
}

const current = new AsyncLocalStorage<Budget>()

/** Runs work as one invocation: all its calls count against the budget. */
export function inBudget<T>(budget: Budget, work: () => T): T {
  return current.run(budget, work)
}

/** The budget of the current invocation; null outside an invocation. */
export function currentBudget(): Budget | null {
  return current.getStore() ?? null
}

/** Runs work with the budget of the current invocation, or with a new one outside an invocation. */
export function withBudget<T>(work: (budget: Budget) => T): T {
  const known = current.getStore()
  if (known) return work(known)
  const budget = new Budget()
  return current.run(budget, () => work(budget))
}

/** The budget of the current invocation, or a new one outside an invocation. */
export function budgetHere(): Budget {
  return current.getStore() ?? new Budget()
}

/** Counts one request to something outside the isolate. */
export function countCall(): void {
  current.getStore()?.use('calls')
}

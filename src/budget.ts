/**
 * What one invocation of the Worker may use, and what it has used so far. Cloudflare ends an invocation that goes over a limit, with
 * whatever it was doing, so long work looks here between its steps: once a budget is spent it keeps its position and goes on in the
 * next invocation. Limits: developers.cloudflare.com/workers/platform/limits and /d1/platform/limits.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** What is counted. */
export interface Usage {
  /** Statements that D1 ran; each statement of a batch counts. */
  readonly queries: number
  /** Rows that D1 read or wrote. */
  readonly rows: number
  /** Requests to anything outside of the isolate: D1, Durable Objects, R2, queues, engines. */
  readonly calls: number
  /** Milliseconds since the invocation began. A Worker's clock stands still while it computes, so work between two calls isn't in it. */
  readonly ms: number
  /** Units of computing, a unit being about a millisecond; told by whoever computes for long without calling anything. */
  readonly steps: number
  /** The largest number of bytes that whoever keeps much in memory has told at one time. */
  readonly bytes: number
}

export type Resource = keyof Usage
export type Limits = Readonly<Record<Resource, number>>

/** Plans of Cloudflare Workers. */
export const PLANS = ['paid', 'free'] as const
export type Plan = (typeof PLANS)[number]

/** Limits of an invocation by plan. Rows, milliseconds and bytes are our own: D1 asks no more than that they stay small. */
export const PLAN_LIMITS: Readonly<Record<Plan, Limits>> = {
  paid: { queries: 1_000, rows: 2_000_000, calls: 10_000, ms: 30_000, steps: 30_000, bytes: 96_000_000 },
  free: { queries: 50, rows: 200_000, calls: 50, ms: 30_000, steps: 10, bytes: 96_000_000 },
}

/** What must be left to begin another step: the costliest step and the note of its end fit into it. */
const RESERVE: Limits = { queries: 400, rows: 500_000, calls: 1_500, ms: 10_000, steps: 5_000, bytes: 16_000_000 }
/** No reserve is larger than this share of its limit. */
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

  /** Counts what was used. */
  use(resource: 'queries' | 'rows' | 'calls' | 'steps', amount = 1): void {
    this.#used[resource] += amount
  }

  /** Tells how many more bytes are kept in memory from now on; negative: how many fewer. */
  hold(bytes: number): void {
    this.#held += bytes
    this.#used.bytes = Math.max(this.#used.bytes, this.#held)
  }

  get used(): Usage {
    return { ...this.#used, ms: this.#now() - this.#began }
  }

  /** The resource of which too little is left for another step; null: there is enough of each. */
  get spent(): Resource | null {
    const used = { ...this.used, bytes: this.#held }
    return RESOURCES.find((resource) => used[resource] > this.limits[resource] - this.#reserve(resource)) ?? null
  }

  #reserve(resource: Resource): number {
    return Math.min(RESERVE[resource], this.limits[resource] * MAX_RESERVE)
  }
}

const current = new AsyncLocalStorage<Budget>()

/** Does work as one invocation: whatever it calls counts against the budget. */
export function inBudget<T>(budget: Budget, work: () => T): T {
  return current.run(budget, work)
}

/** The budget of the invocation that this is part of; null: of none that counts. */
export function currentBudget(): Budget | null {
  return current.getStore() ?? null
}

/** The budget of the invocation that this is part of; a new one when it is part of none. */
export function withBudget<T>(work: (budget: Budget) => T): T {
  const known = current.getStore()
  if (known) return work(known)
  const budget = new Budget()
  return current.run(budget, () => work(budget))
}

/** The budget of the invocation that this is part of; of a new one when it is part of none. */
export function budgetHere(): Budget {
  return current.getStore() ?? new Budget()
}

/** Counts one request to something outside of the isolate. */
export function countCall(): void {
  current.getStore()?.use('calls')
}

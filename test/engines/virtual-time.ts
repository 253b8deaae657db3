/**
 * A clock that advances only while the coordinator waits for an engine, so that deadlines of a minute are tested
 * unchanged.
 */
import { vi } from 'vitest'
import { Engine } from '../../src/inference/engine/resilience.ts'

const realTimeout = globalThis.setTimeout
/** How far the clock advances in a turn without a wait for an engine: real work takes its own time. */
const IDLE_MS = 2
/** Number of turns after which a call to an engine can only continue with the clock. */
const STUCK_TURNS = 4

let calls = 0
let stuck = 0

/** Something has happened: waiting code may continue without the clock. */
export function progress(): void {
  stuck = 0
}

/** From here on, `Date` and timers are virtual. End with `vi.useRealTimers()` and `vi.restoreAllMocks()`. */
export function useVirtualTime(): void {
  calls = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  const { call, stream } = Engine.prototype
  vi.spyOn(Engine.prototype, 'call').mockImplementation(async function (this: Engine, ...given) {
    calls++
    progress()
    try {
      return await call.apply(this, given)
    } finally {
      calls--
      progress()
    }
  })
  vi.spyOn(Engine.prototype, 'stream').mockImplementation(async function* (this: Engine, ...given) {
    calls++
    progress()
    try {
      yield* stream.apply(this, given)
    } finally {
      calls--
      progress()
    }
  })
}

/** Advances the clock without waiting for an engine. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

/** Runs work to its end, and measures it with the virtual clock, in milliseconds. */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; tookMs: number }> {
  const began = Date.now()
  let done = false
  const running = work().finally(() => {
    done = true
  })
  running.catch(() => undefined)
  while (!done) {
    await new Promise((resolve) => realTimeout(resolve, 0))
    if (done) break
    if (calls > 0 && ++stuck > STUCK_TURNS) {
      progress()
      await vi.advanceTimersToNextTimerAsync()
    } else await vi.advanceTimersByTimeAsync(IDLE_MS)
  }
  return { value: await running, tookMs: Date.now() - began }
}

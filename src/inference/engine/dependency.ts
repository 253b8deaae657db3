/**
 * The coordinator's dependencies, and the check of each one. Checks are free: no model is called.
 * @module
 */
import { CoordinatorError } from '../../errors.ts'
import type { BreakerState, Engine, FailureKind } from './resilience.ts'

/** `loading` becomes `ok` by itself. `degraded`: answers, but with parts missing. */
export type DependencyState = 'ok' | 'degraded' | 'loading' | 'down'

/** The result of checking a dependency. */
export interface Observation {
  readonly state: DependencyState
  /** A description of the problem for a person. Never contains content or secrets. */
  readonly error?: string
}

export interface Dependency {
  readonly name: string
  /** Whether the coordinator can't answer without it. Other dependencies only degrade answers. */
  readonly required: boolean
  /** The implementation in use. */
  readonly uses: string
  /** Checks it within the time given by the signal. A rejection means that it is down. */
  ask(signal: AbortSignal): Promise<Observation>
  /** Its circuit breaker in this isolate, if there is one. */
  readonly engine?: Pick<Engine, 'state' | 'lastFailure' | 'problem'>
}

/** The state of a dependency at a point in time. */
export interface SeenDependency {
  readonly name: string
  readonly required: boolean
  readonly uses: string
  readonly state: DependencyState
  readonly error: string | null
  readonly breaker: BreakerState | null
  /** How this isolate's last call failed; null after a success. */
  readonly lastFailure: FailureKind | null
  readonly latencyMs: number
  /** Milliseconds since 1970. */
  readonly seenAt: number
}

/** Maximum wait for one dependency, in milliseconds. */
const PATIENCE_MS = 2_000
/** How long an observation is reused, in milliseconds. */
const FRESH_MS = 5_000

const seen = new Map<string, SeenDependency>()

/** Checks all dependencies concurrently. Recent observations are reused. */
export function observe(dependencies: readonly Dependency[], now: () => number): Promise<SeenDependency[]> {
  return Promise.all(
    dependencies.map(async (dependency) => {
      const key = `${dependency.name} ${dependency.uses}`
      const before = seen.get(key)
      // Absolute: after the clock was set back, an observation would otherwise stay fresh until it catches up.
      if (before && Math.abs(now() - before.seenAt) < FRESH_MS) return { ...before, ...breakerOf(dependency) }
      const observed = await observeOne(dependency, now)
      seen.set(key, observed)
      return observed
    }),
  )
}

async function observeOne(dependency: Dependency, now: () => number): Promise<SeenDependency> {
  const { name, required, uses } = dependency
  const started = now()
  const { state, error } = withProblem(
    dependency,
    await withPatience(dependency).catch((thrown: unknown): Observation => ({ state: 'down', error: causeOf(thrown) })),
  )
  return {
    name,
    required,
    uses,
    state,
    error: error ?? null,
    ...breakerOf(dependency),
    latencyMs: now() - started,
    seenAt: started,
  }
}

/** Adds a problem that a call has revealed, even if the free check succeeds. */
function withProblem({ engine }: Dependency, observed: Observation): Observation {
  const problem = engine?.problem ?? null
  return observed.state === 'ok' && problem !== null
    ? { state: 'degraded', error: `the last call failed: it ${problem}` }
    : observed
}

/** Why a check failed, as far as it is safe to return. The coordinator's own errors contain no secrets. */
function causeOf(thrown: unknown): string {
  if (!(thrown instanceof CoordinatorError) || thrown.code === 'internal') return 'did not answer'
  return thrown.hint ? `${thrown.message} ${thrown.hint}` : thrown.message
}

async function withPatience(dependency: Dependency): Promise<Observation> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const late = new Promise<Observation>((resolve) => {
    signal.addEventListener('abort', () => resolve({ state: 'down', error: `did not answer in ${PATIENCE_MS} ms` }))
  })
  return Promise.race([dependency.ask(signal), late])
}

function breakerOf({ engine }: Dependency): Pick<SeenDependency, 'breaker' | 'lastFailure'> {
  return { breaker: engine?.state ?? null, lastFailure: engine?.lastFailure ?? null }
}

/**
 * What the coordinator depends on, and how each is asked whether it can serve. Asking is free: no model is called.
 * @module
 */
import { CoordinatorError } from '../../errors.ts'
import type { BreakerState, Engine, FailureKind } from './resilience.ts'

/** `loading` becomes `ok` by itself; `degraded`: answers, with something left out. */
export type DependencyState = 'ok' | 'degraded' | 'loading' | 'down'

/** What was seen of a dependency. */
export interface Observation {
  readonly state: DependencyState
  /** What is wrong, for a person; never content or secrets. */
  readonly error?: string
}

export interface Dependency {
  readonly name: string
  /** Without it nothing can be answered; any other one only degrades answers. */
  readonly required: boolean
  /** Which one is in use. */
  readonly uses: string
  /** Asks it, within the time given; a rejection means that it is down. */
  ask(signal: AbortSignal): Promise<Observation>
  /** Its circuit breaker in this isolate; left out where there is none. */
  readonly engine?: Pick<Engine, 'state' | 'lastFailure' | 'problem'>
}

/** A dependency as it was seen at some time. */
export interface SeenDependency {
  readonly name: string
  readonly required: boolean
  readonly uses: string
  readonly state: DependencyState
  readonly error: string | null
  readonly breaker: BreakerState | null
  /** How the last call of this isolate failed; null after a success. */
  readonly lastFailure: FailureKind | null
  readonly latencyMs: number
  /** Milliseconds since 1970. */
  readonly seenAt: number
}

/** Longest wait for one dependency, in milliseconds. */
const PATIENCE_MS = 2_000
/** An observation is shown again for this long, in milliseconds. */
const FRESH_MS = 5_000

const seen = new Map<string, SeenDependency>()

/** Asks all side by side; what was seen a moment ago isn't asked again. */
export function observe(dependencies: readonly Dependency[], now: () => number): Promise<SeenDependency[]> {
  return Promise.all(
    dependencies.map(async (dependency) => {
      const key = `${dependency.name} ${dependency.uses}`
      const before = seen.get(key)
      if (before && now() - before.seenAt < FRESH_MS) return { ...before, ...breakerOf(dependency) }
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

/** What a call has shown to be wrong is told although the server answers the free question. */
function withProblem({ engine }: Dependency, observed: Observation): Observation {
  const problem = engine?.problem ?? null
  return observed.state === 'ok' && problem !== null
    ? { state: 'degraded', error: `the last call failed: it ${problem}` }
    : observed
}

/** Why asking failed, as far as it may be shown: an error of the coordinator's own holds no secret. */
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

/**
 * The plan of a run, derived only from its seed: the steps of each agent, and the faults in each minute.
 * @module
 */
import { type Random, seeded } from '../../cli/shared/random.ts'
import { QDRANT_FAULTS, type QdrantFault } from '../engines/qdrant-process.ts'

/** The size of a run. */
export interface Size {
  readonly agents: number
  /** Number of steps per agent. */
  readonly steps: number
  /** Minutes of the coordinator's clock over which the steps are distributed. */
  readonly minutes: number
}

export const STEP_KINDS = [
  'augment',
  'track',
  'report',
  'rate',
  'correct',
  'ingest',
  'remove',
  'search',
  'route',
  'export',
  'process',
] as const
export type StepKind = (typeof STEP_KINDS)[number]

/** Frequency of each kind, per hundred steps. */
const SHARES: Readonly<Record<StepKind, number>> = {
  augment: 23,
  track: 22,
  report: 26,
  rate: 4,
  correct: 4,
  ingest: 8,
  remove: 2,
  search: 4,
  route: 4,
  export: 2,
  process: 4,
}

export interface Step {
  readonly kind: StepKind
  /** Seed of the step's other random choices. */
  readonly seed: number
  /** Whether it uses MCP. */
  readonly mcp: boolean
}

/** How the embedding server fails. */
export const OUTAGES = ['refuses', 'fails', 'answers nonsense', 'is slow'] as const
export type Outage = (typeof OUTAGES)[number]

/** A fault at the beginning of a minute. */
export type Incident =
  | { readonly kind: 'outage'; readonly outage: Outage }
  | { readonly kind: 'recovery' }
  | { readonly kind: 'eviction' }
  /** The process is killed and restarted; messages in progress are lost. */
  | { readonly kind: 'crash' }
  | { readonly kind: 'night' }
  /** A day and a half without activity, including its nights: interactions that are inactive by then are archived. */
  | { readonly kind: 'holiday' }
  /** The knowledge store is unavailable for some seconds. */
  | { readonly kind: 'qdrant'; readonly fault: QdrantFault; readonly seconds: number }

export interface Plan {
  readonly seed: number
  readonly size: Size
  readonly steps: readonly (readonly Step[])[]
  /** By minute. */
  readonly incidents: ReadonlyMap<number, readonly Incident[]>
}

/** A random number for a position in a run: the same for the same position, independent of other positions. */
export function seedAt(...place: readonly number[]): number {
  return place.reduce((hash, part) => Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15), 0x811c9dc5) >>> 0
}

/**
 * The plan of a run.
 * @param qdrant whether knowledge is stored in a Qdrant server, which then also fails
 */
export function planOf(seed: number, size: Size, qdrant = false): Plan {
  const steps = Array.from({ length: size.agents }, (_, agent) =>
    Array.from({ length: size.steps }, (_, at): Step => {
      const own = seedAt(seed, agent, at)
      const random = seeded(own)
      // Nothing can be reported before something is tracked.
      const kind = at === 0 ? 'ingest' : at === 1 ? 'augment' : at === 2 ? 'track' : draw(random)
      return { kind, seed: own, mcp: random() < 0.5 }
    }),
  )
  return { seed, size, steps, incidents: incidentsOf(seed, size.minutes, qdrant) }
}

function draw(random: Random): StepKind {
  let left = random() * Object.values(SHARES).reduce((sum, share) => sum + share, 0)
  for (const kind of STEP_KINDS) {
    left -= SHARES[kind]
    if (left < 0) return kind
  }
  return 'augment'
}

/** At least one crash and one outage, whatever the seed. Nights start exports, and holidays start archiving. */
function incidentsOf(seed: number, minutes: number, qdrant: boolean): Map<number, Incident[]> {
  const random = seeded(seedAt(seed, -1))
  const found = new Map<number, Incident[]>()
  const add = (minute: number, incident: Incident) => {
    const at = Math.max(1, Math.min(minutes - 1, Math.floor(minute)))
    found.set(at, [...(found.get(at) ?? []), incident])
  }
  const crashes = 1 + Math.floor(random() * 3)
  for (let i = 0; i < crashes; i++) add(random() * minutes, { kind: 'crash' })
  const evictions = Math.max(1, Math.round(minutes / 8))
  for (let i = 0; i < evictions; i++) add(random() * minutes, { kind: 'eviction' })
  const outages = 1 + Math.floor(random() * 3)
  for (let i = 0; i < outages; i++) {
    const stretch = minutes / outages
    const from = i * stretch + random() * stretch * 0.4
    add(from, { kind: 'outage', outage: OUTAGES[Math.floor(random() * OUTAGES.length)] ?? 'refuses' })
    add(from + 1 + random() * stretch * 0.5, { kind: 'recovery' })
  }
  add(minutes * (0.3 + random() * 0.6), { kind: 'night' })
  add(minutes * (0.3 + random() * 0.2), { kind: 'holiday' })
  add(minutes * (0.6 + random() * 0.4), { kind: 'holiday' })
  // Each Qdrant fault twice, distributed over the run.
  const faults = qdrant ? [...QDRANT_FAULTS, ...QDRANT_FAULTS] : []
  for (const [i, fault] of faults.entries()) {
    add(((i + random()) / faults.length) * minutes, { kind: 'qdrant', fault, seconds: 2 + Math.floor(random() * 9) })
  }
  return found
}

/** A minute's faults as one line. */
export function describeIncident(incident: Incident): string {
  if (incident.kind === 'qdrant') return `Qdrant ${incident.fault} for ${incident.seconds} s`
  return incident.kind === 'outage' ? `embedding server ${incident.outage}` : incident.kind
}

/**
 * Packs units into chunks near a target size.
 *
 * Neighbours are grouped by recursive splitting, not by filling from the top: a run that is too large is split before
 * its unit of best rank, with ties broken by the hash of the unit's label (the shape of a treap over the labels: Seidel
 * and Aragon, "Randomized Search Trees", Algorithmica 16, 1996). The splits depend on sizes only along the path of an
 * edited unit, so an edit doesn't change other chunks.
 * @module
 */
import { textUnits } from './text-units.ts'
import { fnv1a, type Kind, type Unit } from './units.ts'

/** Sizes in characters. */
export interface Sizes {
  /** Small neighbours are grouped up to this size. */
  target: number
  /** Maximum size of a chunk, without its context line. */
  maximum: number
  /** A smaller group is joined with a neighbour. */
  minimum: number
}

/** Default sizes for a file, unless they would give more chunks than a request can carry. */
export const DEFAULT_SIZES: Sizes = { target: 1200, maximum: 3000, minimum: 200 }

/** A unit that encloses a group but is not part of it. */
export type Scope = Pick<Unit, 'kind' | 'names' | 'label' | 'signature' | 'doc'>

/** A unit and its enclosing units, outermost first. */
export interface PlacedUnit extends Unit {
  scopes: readonly Scope[]
}

/** Adjacent units that form one chunk, and the units that enclose the first one, outermost first. */
export interface Group {
  units: PlacedUnit[]
  scopes: readonly Scope[]
}

/** Units nested more deeply are split as plain text. */
const MAX_DEPTH = 40

const CONTAINERS: ReadonlySet<Kind> = new Set(['class', 'interface', 'impl', 'module', 'enum', 'section'])

const sizeOf = (units: readonly Unit[]): number => (units.at(-1)?.end ?? 0) - (units[0]?.start ?? 0)

/** Groups a run of units, none larger than the maximum, by splitting at the best position until each part fits. */
function cut(run: PlacedUnit[], scopes: readonly Scope[], sizes: Sizes, out: Group[]): void {
  if (run.length === 0) return
  if (run.length === 1 || sizeOf(run) <= sizes.target) {
    out.push({ units: run, scopes })
    return
  }
  let best = 1
  let bestRank = Number.POSITIVE_INFINITY
  for (let i = 1; i < run.length; i++) {
    const unit = run[i]
    if (!unit) continue
    const priority = unit.rank * 2 ** 32 + fnv1a(unit.label)
    if (priority < bestRank) {
      bestRank = priority
      best = i
    }
  }
  cut(run.slice(0, best), scopes, sizes, out)
  cut(run.slice(best), scopes, sizes, out)
}

/** Expands oversized units and groups the rest, in file order. */
function divide(text: string, units: readonly Unit[], scopes: Scope[], sizes: Sizes, out: Group[], depth = 0): void {
  let run: PlacedUnit[] = []
  const flush = (): void => {
    cut(run, scopes, sizes, out)
    run = []
  }
  for (const unit of units) {
    const size = unit.end - unit.start
    const limit = CONTAINERS.has(unit.kind) ? sizes.target * 1.5 : sizes.maximum
    if (size <= limit) {
      run.push({ ...unit, scopes })
      continue
    }
    let parts = depth < MAX_DEPTH ? (unit.expand?.() ?? []) : []
    if (parts.length < 2) {
      if (size <= sizes.maximum) {
        run.push({ ...unit, scopes })
        continue
      }
      parts = textUnits(text, unit.start, unit.end, { size: sizes.target, symbols: false })
      const first = parts[0]
      if (first)
        parts[0] = {
          ...first,
          kind: unit.kind,
          names: unit.transparent ? [] : unit.names,
          doc: unit.doc,
          label: 'head',
        }
    }
    flush()
    const encloses = !unit.transparent && (unit.signature !== undefined || unit.names.length > 0)
    divide(text, parts, encloses ? [...scopes, unit] : scopes, sizes, out, depth + 1)
  }
  flush()
}

/** A group's scopes are those of its first line. The text itself shows where the following lines belong. */
function joined(a: Group, b: Group): Group {
  return { units: [...a.units, ...b.units], scopes: a.scopes }
}

/**
 * Joins small groups with a neighbour: a group below a third of the target with a small one of the same scope, a group
 * below the minimum with the best neighbour.
 */
function absorb(groups: readonly Group[], sizes: Sizes): Group[] {
  const out: Group[] = []
  const pending = [...groups]
  for (let i = 0; i < pending.length; i++) {
    const group = pending[i]
    if (!group) continue
    const size = sizeOf(group.units)
    const tiny = size < sizes.minimum
    const next = pending[i + 1]
    const previous = out.at(-1)
    const cost = (other: Group | undefined): number => {
      if (!other || size >= sizes.target / 3) return Number.POSITIVE_INFINITY
      const total = sizeOf(other.units) + size
      const sameScope = other.scopes.length === group.scopes.length && other.scopes.at(-1) === group.scopes.at(-1)
      if (sameScope && total <= sizes.target) return total
      if (!tiny || total > sizes.maximum) return Number.POSITIVE_INFINITY
      // A class line or an import list belongs to the code that follows it.
      const leads = other === next && (group.units[0]?.label === 'head' || group.units.at(-1)?.kind === 'comment')
      return total + (sameScope || leads ? 0 : sizes.maximum)
    }
    const before = cost(previous)
    const after = cost(next)
    if (next && after <= before && after < Number.POSITIVE_INFINITY) pending[i + 1] = joined(group, next)
    else if (previous && before < Number.POSITIVE_INFINITY) out[out.length - 1] = joined(previous, group)
    else out.push(group)
  }
  return out
}

/**
 * Packs the units of a file into groups, one per chunk, in file order. The groups partition the same text as the units.
 * @param text - the file
 * @param units - units that partition it
 */
export function pack(text: string, units: readonly Unit[], sizes: Sizes): Group[] {
  const groups: Group[] = []
  divide(text, units, [], sizes, groups)
  return absorb(groups, sizes)
}

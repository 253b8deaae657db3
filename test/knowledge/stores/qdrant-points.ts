/**
 * The points of a collection in the Qdrant stub: written, selected, scrolled and ranked with the documented semantics.
 */

export type Payload = Record<string, unknown>
type Vector = number[] | { indices: number[]; values: number[] }

interface Point {
  id: string
  payload: Payload
  vectors: Map<string, Vector>
}

export interface Collection {
  readonly dense: Map<string, number>
  readonly sparse: Map<string, { idf: boolean }>
  /** The setting at the collection's creation. */
  readonly quantization: unknown
  readonly indexes: Set<string>
  readonly points: Map<string, Point>
  /** Sorted ids, as of the last scroll. */
  sorted: string[]
}

export interface Filter {
  must?: Condition[]
  must_not?: Condition[]
  should?: Condition[]
}

interface Condition extends Filter {
  key?: string
  match?: { value?: unknown; any?: unknown[] }
  range?: { lt?: number; lte?: number; gt?: number; gte?: number }
  has_id?: string[]
  has_vector?: string
}

export interface Query {
  query?: Vector
  using?: string
  prefetch?: Query
  filter?: Filter
  params?: { idf?: { corpus: Filter } }
  limit?: number
  with_payload?: boolean | string[]
}

export class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function upsert(
  collection: Collection,
  {
    points,
    update_mode,
  }: { points: { id: string; payload?: Payload; vector: Record<string, Vector> }[]; update_mode?: string },
): void {
  for (const { id, payload, vector } of points) {
    if (!UUID.test(id)) throw new Refused(400, `value ${id} is not a valid point ID`)
    if (update_mode === 'insert_only' && collection.points.has(id)) continue
    collection.points.set(id, { id, payload: structuredClone(payload ?? {}), vectors: checked(collection, vector) })
  }
}

/** Validates named vectors for storage: known name and size, dense vectors normalised, values in 32 bits. */
function checked(collection: Collection, vectors: Record<string, Vector>): Map<string, Vector> {
  return new Map(
    Object.entries(vectors).map(([name, vector]): [string, Vector] => {
      if (!Array.isArray(vector)) {
        if (!collection.sparse.has(name)) throw new Refused(400, `Wrong input: Not existing vector name error: ${name}`)
        if (vector.indices.length !== vector.values.length) throw new Refused(422, 'must be the same length as indices')
        if (new Set(vector.indices).size !== vector.indices.length) throw new Refused(422, 'must be unique')
        return [name, { indices: [...vector.indices], values: vector.values.map(Math.fround) }]
      }
      const size = collection.dense.get(name)
      if (size === undefined) throw new Refused(400, `Wrong input: Not existing vector name error: ${name}`)
      if (vector.length !== size) {
        throw new Refused(400, `Wrong input: Vector dimension error: expected dim: ${size}, got ${vector.length}`)
      }
      const norm = Math.hypot(...vector) || 1
      return [name, vector.map((value) => Math.fround(value / norm))]
    }),
  )
}

type Selector = { points?: string[]; filter?: Filter }

function selected(collection: Collection, { points, filter }: Selector): Point[] {
  if (points) return points.flatMap((id) => collection.points.get(id) ?? [])
  if (!filter) throw new Refused(400, 'No filter or points provided')
  return select(collection, filter)
}

export function remove(collection: Collection, selector: Selector): void {
  for (const { id } of selected(collection, selector)) collection.points.delete(id)
}

export function update(collection: Collection, operation: Payload): void {
  const [[kind, value] = ['', null]] = Object.entries(operation)
  if (kind === 'upsert') upsert(collection, value as never)
  else if (kind === 'delete') remove(collection, value as Selector)
  else if (kind === 'set_payload') {
    const { payload, ...selector } = value as { payload: Payload } & Selector
    for (const point of selected(collection, selector)) Object.assign(point.payload, structuredClone(payload))
  } else if (kind === 'update_vectors') {
    const { points, update_filter } = value as {
      points: { id: string; vector: Record<string, Vector> }[]
      update_filter?: Filter
    }
    for (const { id, vector } of points) {
      const point = collection.points.get(id)
      if (!point) throw new Refused(404, `Not found: No point with id ${id} found`)
      if (update_filter && !matches(collection, point, update_filter)) continue
      for (const [name, one] of checked(collection, vector)) point.vectors.set(name, one)
    }
  } else if (kind === 'delete_vectors') {
    const { vector, ...selector } = value as { vector: string[] } & Selector
    for (const point of selected(collection, selector)) for (const name of vector) point.vectors.delete(name)
  } else throw new Refused(400, `The stub has no ${kind}.`)
}

export function select(collection: Collection, filter: Filter | undefined): Point[] {
  return [...collection.points.values()].filter((point) => matches(collection, point, filter ?? {}))
}

function matches(collection: Collection, point: Point, { must = [], must_not = [], should = [] }: Filter): boolean {
  const holds = (condition: Condition) => fits(collection, point, condition)
  return must.every(holds) && !must_not.some(holds) && (should.length === 0 || should.some(holds))
}

function fits(collection: Collection, point: Point, condition: Condition): boolean {
  const { key, match, range, has_id, has_vector } = condition
  if (has_id) return has_id.includes(point.id)
  if (has_vector !== undefined) return point.vectors.has(has_vector)
  if (key === undefined) return matches(collection, point, condition)
  // A server in strict mode rejects filters on fields without an index.
  if (!collection.indexes.has(key)) throw new Refused(400, `Index required but not found for "${key}"`)
  const value = key
    .split('.')
    .reduce<unknown>((of, name) => (of as Record<string, unknown> | undefined)?.[name], point.payload)
  const values = Array.isArray(value) ? value : [value]
  if (match) return values.some((one) => (match.any ? match.any.includes(one) : one === match.value))
  if (range) {
    return values.some(
      (one) =>
        typeof one === 'number' &&
        one < (range.lt ?? Number.POSITIVE_INFINITY) &&
        one > (range.gt ?? Number.NEGATIVE_INFINITY) &&
        one <= (range.lte ?? one) &&
        one >= (range.gte ?? one),
    )
  }
  return false
}

/** Points after the offset in order of id, sorted once until points are added or removed. */
export function scroll(
  collection: Collection,
  filter: Filter | undefined,
  offset: string | undefined,
  limit: number,
): Point[] {
  if (
    collection.sorted.length !== collection.points.size ||
    collection.sorted.some((id) => !collection.points.has(id))
  ) {
    collection.sorted = [...collection.points.keys()].sort()
  }
  const found: Point[] = []
  for (const id of collection.sorted) {
    if (found.length === limit) break
    const point = collection.points.get(id)
    if (point && (offset === undefined || id >= offset) && matches(collection, point, filter ?? {})) found.push(point)
  }
  return found
}

function byId(points: Point[]): Point[] {
  return points.sort((a, b) => (a.id < b.id ? -1 : 1))
}

export function record(point: Point, with_payload: boolean | string[]): { id: string; payload?: Payload } {
  if (with_payload === false) return { id: point.id }
  if (with_payload === true) return { id: point.id, payload: structuredClone(point.payload) }
  const kept = with_payload.filter((name) => name in point.payload).map((name) => [name, point.payload[name]])
  return { id: point.id, payload: Object.fromEntries(kept) }
}

export function query(
  collection: Collection,
  search: Query,
): ({ score: number; version: number } & ReturnType<typeof record>)[] {
  const { limit = 10, with_payload = false } = search
  if (search.query === undefined) {
    return byId(select(collection, search.filter))
      .slice(0, limit)
      .map((point) => ({ score: 0, version: 1, ...record(point, with_payload) }))
  }
  return ranked(collection, search)
    .slice(0, limit)
    .map(({ point, score }) => ({ score: Math.fround(score), version: 1, ...record(point, with_payload) }))
}

/** Points that have the vector (for sparse ones: a dimension in common), best first. */
function ranked(collection: Collection, search: Query): { point: Point; score: number }[] {
  const { query: vector, using = '', filter, prefetch } = search
  let points = select(collection, filter)
  if (prefetch) {
    const first = ranked(collection, prefetch).slice(0, prefetch.limit ?? 10)
    const ids = new Set(first.map(({ point }) => point.id))
    points = points.filter(({ id }) => ids.has(id))
  }
  if (!vector || (!collection.dense.has(using) && !collection.sparse.has(using))) {
    throw new Refused(400, `Wrong input: Not existing vector name error: ${using}`)
  }
  const score = Array.isArray(vector) ? denseScore(collection, vector, using) : sparseScore(collection, search, vector)
  return points
    .flatMap((point) => {
      const own = point.vectors.get(using)
      const value = own ? score(own) : null
      return value === null ? [] : [{ point, score: value }]
    })
    .sort((a, b) => b.score - a.score || (a.point.id < b.point.id ? -1 : 1))
}

function denseScore(collection: Collection, vector: number[], using: string): (own: Vector) => number | null {
  const size = collection.dense.get(using)
  if (vector.length !== size) throw new Refused(400, `Wrong input: Vector dimension error: expected dim: ${size}`)
  const norm = Math.hypot(...vector) || 1
  return (own) =>
    Array.isArray(own) ? own.reduce((sum, value, i) => sum + (value * (vector[i] ?? 0)) / norm, 0) : null
}

function sparseScore(
  collection: Collection,
  { using = '', params }: Query,
  vector: { indices: number[]; values: number[] },
): (own: Vector) => number | null {
  const population = select(collection, params?.idf?.corpus).filter(({ vectors }) => vectors.has(using))
  const weights = new Map(
    vector.indices.map((index, i) => {
      const holders = population.filter(({ vectors }) => {
        const own = vectors.get(using)
        return own && !Array.isArray(own) && own.indices.includes(index)
      }).length
      const idf = Math.log((population.length - holders + 0.5) / (holders + 0.5) + 1)
      return [index, (vector.values[i] ?? 0) * (collection.sparse.get(using)?.idf ? idf : 1)]
    }),
  )
  return (own) => {
    if (Array.isArray(own)) return null
    let sum = 0
    let common = false
    own.indices.forEach((index, i) => {
      const weight = weights.get(index)
      if (weight === undefined) return
      common = true
      sum += weight * (own.values[i] ?? 0)
    })
    return common ? sum : null
  }
}

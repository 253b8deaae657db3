/**
 * A Qdrant server in memory, with the parts that the adapter uses: it rejects every request that the published schema
 * does not allow, or that refers to something missing, and answers with the documented semantics.
 */

import {
  type Collection,
  type Filter,
  type Payload,
  type Query,
  query,
  Refused,
  record,
  remove,
  scroll,
  select,
  update,
  upsert,
} from './qdrant-points.ts'
import { matchRequest } from './qdrant-schema.ts'

/** Reads, and operations that Qdrant answers only when they are complete. */
const UNHURRIED = /^(root|get_|count_|scroll_|query_|create_collection)/

export class QdrantStub {
  readonly collections = new Map<string, Collection>()
  /** Number of calls by operation. */
  readonly calls = new Map<string, number>()
  /** Requests that violate the published schema. */
  readonly violations: string[] = []
  /** Overrides the stub's answers for faults; null: the stub answers. */
  intercept: (operation: string) => Response | Promise<Response> | null = () => null

  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const text = await request.text()
    try {
      const url = new URL(request.url)
      let matched: ReturnType<typeof matchRequest>
      try {
        matched = matchRequest(request.method, url, text === '' ? null : JSON.parse(text))
      } catch (error) {
        this.violations.push(String(error))
        throw new Refused(400, String(error))
      }
      this.calls.set(matched.operation, (this.calls.get(matched.operation) ?? 0) + 1)
      const instead = this.intercept(matched.operation)
      if (instead) return await instead
      if (!UNHURRIED.test(matched.operation) && matched.query.get('wait') !== 'true') {
        throw new Refused(400, `${matched.operation} has to wait, or the next search misses it`)
      }
      if (matched.operation === 'root') {
        return Response.json({ title: 'qdrant - vector search engine', version: this.version, commit: 'stub' })
      }
      const result = this.#run(matched.operation, matched.parameters, matched.body)
      return Response.json({ result, status: 'ok', time: 0.001 })
    } catch (error) {
      if (!(error instanceof Refused)) {
        this.violations.push(String(error))
        throw error
      }
      return Response.json({ status: { error: error.message }, time: 0 }, { status: error.status })
    }
  }

  /** The version in the answer to `GET /`. */
  version = '1.19.0'

  #run(operation: string, parameters: Readonly<Record<string, string>>, body: unknown): unknown {
    const name = parameters.collection_name ?? ''
    if (operation === 'create_collection') return this.#create(name, body as never)
    const collection = this.collections.get(name)
    if (!collection) throw new Refused(404, `Not found: Collection \`${name}\` doesn't exist!`)
    const done = { operation_id: 1, status: 'completed' }
    switch (operation) {
      case 'get_collection':
        return {
          status: 'green',
          config: {
            params: {
              vectors: Object.fromEntries(
                [...collection.dense].map(([vector, size]) => [vector, { size, distance: 'Cosine' }]),
              ),
            },
          },
        }
      case 'create_field_index':
        collection.indexes.add((body as { field_name: string }).field_name)
        return done
      case 'create_vector_name': {
        const { dense } = body as { dense: { size: number } }
        const known = collection.dense.get(parameters.vector_name ?? '')
        if (known !== undefined && known !== dense.size) throw new Refused(409, 'already exists')
        collection.dense.set(parameters.vector_name ?? '', dense.size)
        return done
      }
      case 'delete_vector_name':
        collection.dense.delete(parameters.vector_name ?? '')
        for (const point of collection.points.values()) point.vectors.delete(parameters.vector_name ?? '')
        return done
      case 'upsert_points':
        upsert(collection, body as never)
        return done
      case 'delete_points':
        remove(collection, body as never)
        return done
      case 'set_payload':
      case 'delete_vectors':
        update(collection, { [operation]: body })
        return done
      case 'batch_update':
        return (body as { operations: Payload[] }).operations.map((one) => {
          update(collection, one)
          return done
        })
      case 'get_points': {
        const { ids, with_payload } = body as { ids: string[]; with_payload: boolean | string[] }
        return ids.flatMap((id) => {
          const point = collection.points.get(id)
          return point ? [record(point, with_payload)] : []
        })
      }
      case 'count_points':
        return { count: select(collection, (body as { filter?: Filter }).filter).length }
      case 'scroll_points': {
        const { filter, limit = 10, offset, with_payload } = body as Query & { offset?: string }
        const points = scroll(collection, filter, offset, limit + 1)
        const { with_vector } = body as { with_vector?: boolean | string[] }
        const page = points.slice(0, limit).map((point) => ({
          ...record(point, with_payload ?? true),
          vector: Object.fromEntries(
            [...point.vectors].filter(([name]) => Array.isArray(with_vector) && with_vector.includes(name)),
          ),
        }))
        return { points: page, next_page_offset: points[limit]?.id ?? null }
      }
      case 'query_batch_points':
        return (body as { searches: Query[] }).searches.map((search) => ({ points: query(collection, search) }))
      default:
        throw new Refused(400, `The stub has no ${operation}.`)
    }
  }

  #create(
    name: string,
    body: {
      vectors?: Record<string, { size: number }>
      sparse_vectors?: Record<string, { modifier?: string }>
      quantization_config?: unknown
    },
  ): boolean {
    if (this.collections.has(name)) throw new Refused(409, `Wrong input: Collection \`${name}\` already exists!`)
    this.collections.set(name, {
      dense: new Map(Object.entries(body.vectors ?? {}).map(([vector, { size }]) => [vector, size])),
      sparse: new Map(
        Object.entries(body.sparse_vectors ?? {}).map(([vector, { modifier }]) => [
          vector,
          { idf: modifier === 'idf' },
        ]),
      ),
      quantization: body.quantization_config ?? null,
      indexes: new Set(),
      points: new Map(),
      sorted: [],
    })
    return true
  }
}

/**
 * Classifies errors of Qdrant's client.
 * @module
 */
import { isNotLetIn, notLetIn } from '../../../inference/engine/http.ts'
import { EngineFailure } from '../../../inference/engine/resilience.ts'

/** The HTTP status of a client error. */
export function statusOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number'
    ? error.status
    : undefined
}

/** The client's message if something doesn't exist; null for other errors. */
export function missingPart(error: unknown): string | null {
  const status = statusOf(error)
  if (status === 404) return 'collection'
  return status === 400 && /Not existing vector name/i.test(JSON.stringify((error as { data?: unknown }).data ?? ''))
    ? 'vector'
    : null
}

/** Converts a client error to a failure for the engine policy. */
export function failureOf(error: unknown): EngineFailure {
  if (error instanceof EngineFailure) return error
  const status = statusOf(error)
  if (error instanceof Error && error.name === 'QdrantClientTimeoutError') {
    return new EngineFailure('timeout', 'did not answer in time')
  }
  if (error instanceof Error && 'retry_after' in error && typeof error.retry_after === 'number') {
    return new EngineFailure('busy', 'has too much to do (status 429)', error.retry_after * 1000)
  }
  if (error instanceof SyntaxError) return new EngineFailure('invalid', 'did not answer with JSON')
  if (status === undefined || status === 0) return new EngineFailure('unreachable', 'could not be reached')
  if (isNotLetIn(status)) {
    return new EngineFailure('unauthorized', notLetIn(status))
  }
  if (status === 429) return new EngineFailure('busy', 'has too much to do (status 429)')
  if (status === 200 || status === 201) return new EngineFailure('invalid', 'did not answer with JSON')
  if (status >= 500) return new EngineFailure('failed', `answered with status ${status}`)
  return new EngineFailure('refused', `refused the request (status ${status})`)
}

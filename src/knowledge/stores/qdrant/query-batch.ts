/**
 * Sends a batch of queries to Qdrant. The client is not used here: to keep integers above 2^53 exact, it calls a function
 * for every value of an answer, which takes six times as long as parsing it. A search returns some 600 KB without such
 * integers.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import { EngineFailure } from '../../../inference/engine/resilience.ts'
import { traceHeaders } from '../../../tracing.ts'

/** A server's address and the deadline of one request. */
export interface QdrantAddress {
  /** Without a trailing slash. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/** An answer that is not a success, in the form of the client's errors. */
export class QdrantStatusError extends Error {
  override readonly name = 'QdrantStatusError'
  readonly status: number
  readonly data: unknown
  /** Seconds after which the server wants to be asked again. */
  readonly retry_after?: number

  constructor(response: Response, data: unknown) {
    super(`Qdrant answered with status ${response.status}.`)
    this.status = response.status
    this.data = data
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
    if (response.status === 429 && Number.isFinite(seconds)) this.retry_after = seconds
  }
}

/**
 * The answers to a batch of queries, in order.
 * @param collection full name of the collection
 * @throws EngineFailure without a complete answer; QdrantStatusError; SyntaxError if the answer isn't JSON
 */
export async function queryBatch(
  { url, headers, timeoutMs }: QdrantAddress,
  collection: string,
  searches: readonly Schemas['QueryRequest'][],
): Promise<readonly { points: Schemas['ScoredPoint'][] }[]> {
  const signal = AbortSignal.timeout(timeoutMs)
  let response: Response
  let text: string
  try {
    response = await fetch(`${url}/collections/${encodeURIComponent(collection)}/points/query/batch`, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json', ...traceHeaders(), ...headers },
      body: JSON.stringify({ searches }),
      signal,
    })
    text = await response.text()
  } catch {
    throw signal.aborted
      ? new EngineFailure('timeout', 'did not answer in time')
      : new EngineFailure('unreachable', 'could not be reached')
  }
  if (response.status !== 200) throw new QdrantStatusError(response, parsed(text))
  const { result } = JSON.parse(text) as { result?: { points: Schemas['ScoredPoint'][] }[] }
  if (!Array.isArray(result)) throw new EngineFailure('invalid', 'did not answer with results')
  return result
}

/** An error's body as JSON, or as text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

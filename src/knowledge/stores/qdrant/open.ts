/**
 * Opens Qdrant if the settings name a server.
 * @module
 */

import { accessHeaders } from '../../../inference/engine/http.ts'
import { Engine } from '../../../inference/engine/resilience.ts'
import { engineAt } from '../../../inference/open-models.ts'
import type { Settings } from '../../../settings.ts'
import { QdrantConnection } from './connection.ts'
import { QdrantStore } from './store.ts'

/** Deadline of one call including retries. A search runs its calls concurrently. */
const DEADLINE_MS = 8_000
/** Timeout of one attempt, shorter so that a second one fits. */
const ATTEMPT_MS = 5_000

const HINT = {
  reach: 'Check QDRANT_URL, that the server runs Qdrant 1.19 or later, and that it is reachable from the Worker.',
  access: 'Check QDRANT_API_KEY, QDRANT_ACCESS_CLIENT_ID and QDRANT_ACCESS_CLIENT_SECRET.',
}

const connections = new Map<string, QdrantConnection>()

/**
 * The store for `QDRANT_URL`; null if it isn't set. The isolate caches connections and what they know about the server.
 */
export function openQdrant({
  QDRANT_URL: url,
  QDRANT_API_KEY: apiKey,
  QDRANT_PREFIX: prefix,
  QDRANT_QUANTIZATION: quantization,
  QDRANT_ACCESS_CLIENT_ID: id,
  QDRANT_ACCESS_CLIENT_SECRET: secret,
}: Settings): QdrantStore | null {
  if (!url) return null
  const address = JSON.stringify([url, prefix, apiKey, quantization, id, secret])
  const engine = engineAt('qdrant', url, () => new Engine('Qdrant', HINT, { deadlineMs: DEADLINE_MS, concurrent: 64 }))
  const headers = accessHeaders(id, secret)
  const connection =
    connections.get(address) ??
    new QdrantConnection({ url, apiKey, headers, prefix, quantization, engine, timeoutMs: ATTEMPT_MS })
  connections.set(address, connection)
  return new QdrantStore(connection)
}

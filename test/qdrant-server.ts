/**
 * Runs the tests on a Qdrant server if `QDRANT_URL` is set. Each file stores its knowledge in its own collections
 * there.
 */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'

const { QDRANT_URL: url, QDRANT_API_KEY: key } = env as { QDRANT_URL?: string; QDRANT_API_KEY?: string }
const prefix = `test-${crypto.randomUUID().slice(0, 8)}-`
/** The platform's own fetch, whatever a test replaces it with. */
const realFetch = globalThis.fetch.bind(globalThis)

/** Gives this file a unique prefix. */
export function ownQdrantCollections(): void {
  if (url) Object.assign(env, { QDRANT_PREFIX: prefix })
}

/** Deletes the collections created by this file: each takes up to 170 MB of disk. */
export async function deleteQdrantCollections(): Promise<void> {
  if (!url) return
  const headers: Record<string, string> = key ? { 'api-key': key } : {}
  const response = await realFetch(`${url}/collections`, { headers })
  const { result } = (await response.json()) as { result: { collections: { name: string }[] } }
  for (const { name } of result.collections) {
    if (!name.startsWith(prefix)) continue
    const deleted = await realFetch(`${url}/collections/${name}`, { method: 'DELETE', headers })
    await deleted.body?.cancel()
  }
}

/** Keeps requests to the Qdrant server away from spies on `fetch`. */
export function hideQdrantFromSpies(): void {
  if (!url) return
  const spyOn = vi.spyOn.bind(vi) as (object: object, name: string) => unknown
  const spyOnOthers = (object: object, name: string) => {
    const spy = spyOn(object, name)
    if (object === globalThis && name === 'fetch') globalThis.fetch = besideQdrant(spy as typeof fetch)
    return spy
  }
  vi.spyOn = spyOnOthers as typeof vi.spyOn
}

/** A replacement for `fetch` that keeps the Qdrant server reachable. */
function besideQdrant(stub: typeof fetch): typeof fetch {
  return (input: RequestInfo | URL, init?: RequestInit) => {
    const asked = input instanceof Request ? input.url : String(input)
    return url && asked.startsWith(url) ? realFetch(input, init) : stub(input, init)
  }
}

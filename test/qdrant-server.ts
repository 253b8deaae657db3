/**
 * Runs the tests on a Qdrant server if `QDRANT_URL` is set. Each file stores its knowledge in its own collections
 * there.
 */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'

const { QDRANT_URL: url, QDRANT_API_KEY: key } = env as { QDRANT_URL?: string; QDRANT_API_KEY?: string }
/** Starts the names of all collections of this file; they are deleted after it. */
export const qdrantPrefix = `test-${crypto.randomUUID().slice(0, 8)}-`
/** The platform's own fetch, whatever a test replaces it with. */
const realFetch = globalThis.fetch.bind(globalThis)

/** Gives this file a unique prefix. */
export function ownQdrantCollections(): void {
  if (url) Object.assign(env, { QDRANT_PREFIX: qdrantPrefix })
}

const headers = { 'content-type': 'application/json', ...(key && { 'api-key': key }) }

async function ownCollections(): Promise<string[]> {
  const response = await realFetch(`${url}/collections`, { headers })
  const { result } = (await response.json()) as { result: { collections: { name: string }[] } }
  return result.collections.map(({ name }) => name).filter((name) => name.startsWith(qdrantPrefix))
}

/** Deletes the collections created by this file: each takes up to 170 MB of disk. */
export async function deleteQdrantCollections(): Promise<void> {
  if (!url) return
  for (const name of await ownCollections()) {
    const deleted = await realFetch(`${url}/collections/${name}`, { method: 'DELETE', headers })
    await deleted.body?.cancel()
  }
}

/** The payloads of all points that this file has stored, as JSON; empty without a server. */
export async function contentOfQdrant(): Promise<string> {
  if (!url) return ''
  const parts: string[] = []
  for (const name of await ownCollections()) {
    let offset: unknown = null
    do {
      const body = JSON.stringify({ limit: 1_000, offset, with_payload: true })
      const response = await realFetch(`${url}/collections/${name}/points/scroll`, { method: 'POST', headers, body })
      const { result } = (await response.json()) as { result: { points: object[]; next_page_offset: unknown } }
      parts.push(...result.points.map((point) => JSON.stringify(point)))
      offset = result.next_page_offset
    } while (offset != null)
  }
  return parts.join('\n')
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

/**
 * Checks whether a deployed Worker answers correctly.
 * @module
 */
import { style } from '../shared/terminal.ts'
import { type AdminKey, jsonIn, StepError, type World } from './steps.ts'

/** The address to check: the one given by the owner, the Worker's own domain, or workers.dev. */
export function addressOf(uploaded: string, world: World): string | undefined {
  const given = world.env.HYBRID_URL?.replace(/\/+$/, '')
  if (given) return given
  const domain = /^\s*(?:https:\/\/)?([\w-]+(?:\.[\w-]+)+)\s+\(custom domain/m.exec(uploaded)?.[1]
  return domain ? `https://${domain}` : /https:\/\/[\w.-]+\.workers\.dev/.exec(uploaded)?.[0]
}

/** Propagation of a new address takes a while. */
const ATTEMPTS = 20
const PAUSE_MS = 3000

/** After this many rejections, a key that was set long ago counts as a different key. */
const REFUSALS = 3

export async function checkHealth(url: string, { known: key, set }: AdminKey, world: World): Promise<void> {
  let last = 'no answer'
  let hint = 'See its log with `npx wrangler tail`.'
  let refusals = 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await world.pause(PAUSE_MS)
    try {
      const health = await world.fetch(`${url}/health`)
      const refused = await world.fetch(`${url}/collections`)
      const served = key === null ? null : await world.fetch(`${url}/collections`, { 'X-API-Key': key })
      last = `/health ${health.status}, without a key ${refused.status}, with the key ${served?.status ?? 'not tried'}`
      if (health.status === 403)
        hint = 'ALLOWED_HOSTS may leave this address out: set HYBRID_URL to the one that it allows, and run this again.'
      if (health.status !== 200 || refused.status !== 401) continue
      const status = jsonIn<{ status: string }>(health.body, '{')?.status ?? 'unknown'
      if (served?.status === 401 && !set && ++refusals >= REFUSALS)
        throw new StepError(
          'The Worker runs, and refuses the HYBRID_API_KEY of your environment: it was deployed with another one, which was kept.\n' +
            'Unset the variable, or correct it. To replace the deployed key: npx wrangler secret put HYBRID_API_KEY.',
        )
      if (served !== null && served.status !== 200) continue
      last = `health ${status}: ${health.body}`
      if (status !== 'ok') continue
      world.print(
        `${style('green', '✓')} Health check (${url}, without a key ${refused.status}, with the key ${served?.status ?? 'not tried'})\n`,
      )
      return
    } catch (error) {
      if (error instanceof StepError) throw error
      last = error instanceof Error ? error.message : String(error)
    }
  }
  throw new StepError(`The Worker is deployed, but ${url} does not respond as expected: ${last}\n${hint}`)
}

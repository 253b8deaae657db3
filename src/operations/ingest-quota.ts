/**
 * Storage limits of a project: per day, and in total.
 * @module
 */
import { reserveIngest } from '../database/queries/quotas.ts'
import { CoordinatorError } from '../errors.ts'
import { COLLECTION_NAMES } from '../knowledge/collections.ts'
import type { CollectionScope } from '../knowledge/stores/store.ts'
import { dayOf, nextDay } from '../patterns/generation-budget.ts'
import type { Services } from '../services.ts'

/** How long the cached item count of a project is used, in milliseconds. */
const FRESH_MS = 60_000
const MAX_PROJECTS = 1000

const counted = new WeakMap<object, Map<string, { items: number; at: number }>>()

/**
 * Counts items against the limits of their project before they are stored.
 * @param items number of items
 * @param content the content that was sent; its size as JSON is counted
 * @throws CoordinatorError `rate_limited` for the day's limits, `payload_too_large` for the project's size
 */
export async function countIngest(
  services: Services,
  project: string,
  items: number,
  content: readonly unknown[],
): Promise<void> {
  const { PROJECT_ITEMS } = services.settings
  if (PROJECT_ITEMS > 0) await assertRoom(services, project, items, PROJECT_ITEMS)
  await countWriting(services, project, items, content)
}

/**
 * Counts items against the daily limits only. Interactions are recorded even in a full project, but the daily limits
 * stop a key from filling the database with them.
 * @param items number of items
 * @param content the content that was sent; its size as JSON is counted
 * @throws CoordinatorError `rate_limited`
 */
export async function countWriting(
  services: Pick<Services, 'database' | 'settings' | 'now'>,
  project: string,
  items: number,
  content: unknown,
): Promise<void> {
  const { INGEST_ITEMS_PER_DAY, INGEST_BYTES_PER_DAY } = services.settings
  const now = services.now()
  const bytes = new TextEncoder().encode(JSON.stringify(content)).byteLength
  const limits = { items: INGEST_ITEMS_PER_DAY, bytes: INGEST_BYTES_PER_DAY }
  const spent = await reserveIngest(services.database, project, dayOf(now), { items, bytes }, limits)
  if (spent === null) return
  const name = spent === 'items' ? 'INGEST_ITEMS_PER_DAY' : 'INGEST_BYTES_PER_DAY'
  throw new CoordinatorError(
    'rate_limited',
    `The project has stored as much as it may today: the limit ${name} is exceeded.`,
    {
      field: name,
      limit: limits[spent],
      hint: 'Send the rest on the next day (UTC), or raise the limit.',
      retryAfter: (nextDay(now) - now) / 1000,
    },
  )
}

async function countItems(knowledge: Services['knowledge'], scope: CollectionScope): Promise<number> {
  return knowledge.countItems ? knowledge.countItems(scope) : (await knowledge.statistics(scope)).items
}

async function assertRoom(services: Services, project: string, items: number, most: number): Promise<void> {
  const projects = counted.get(services.database.$client) ?? new Map<string, { items: number; at: number }>()
  counted.set(services.database.$client, projects)
  let known = projects.get(project)
  const now = services.now()
  if (!known || now - known.at > FRESH_MS || known.items + items > most) {
    const sizes = await Promise.all(
      COLLECTION_NAMES.map((collection) => countItems(services.knowledge, { project, collection })),
    )
    known = { items: sizes.reduce((sum, size) => sum + size, 0), at: now }
  }
  if (projects.size >= MAX_PROJECTS) projects.clear()
  projects.set(project, { ...known, items: known.items + items })
  if (known.items + items <= most) return
  throw new CoordinatorError('payload_too_large', `The project is full: the limit PROJECT_ITEMS is ${most}.`, {
    field: 'PROJECT_ITEMS',
    limit: most,
    hint: 'Delete items or documents that are no longer needed, or raise the limit.',
  })
}

/**
 * Resolves the context ids that clients send to stored items.
 * @module
 */
import * as z from 'zod'
import type { ContextReference } from '../../database/queries/interactions.ts'
import { COLLECTION_NAMES, contextId, isCollection, parseContextId } from '../../knowledge/collections.ts'
import type { Services } from '../../services.ts'
import { readItems } from '../context/context-views.ts'

/** The context that an interaction is recorded with. */
interface ResolvedContexts {
  /** The items that the ids refer to, in the given order, stored or not. */
  readonly contexts: ContextReference[]
  /** The ids that match no stored item. */
  readonly unknown: string[]
}

/**
 * Resolves context ids. An id without a collection is looked up in all collections. An unknown id never causes an
 * interaction to be rejected: an id of the form `collection/id` is recorded anyway. While a store is unavailable, its
 * ids count as known.
 */
export async function resolveContexts(
  services: Pick<Services, 'knowledge'>,
  project: string,
  given: readonly string[],
): Promise<ResolvedContexts> {
  const wanted = [...new Set(given)].map((text) => ({ text, meanings: meaningsOf(text) }))
  const ids = wanted.flatMap(({ meanings }) => meanings).filter(({ collection }) => isCollection(collection))
  const stored = await readItems(
    services,
    project,
    ids.map(({ collection, id }) => contextId(collection, id)),
  ).catch(() => null)
  const contexts: ContextReference[] = []
  const unknown: string[] = []
  for (const { text, meanings } of wanted) {
    const isStored = ({ collection, id }: ContextReference) =>
      !isCollection(collection) || stored?.has(contextId(collection, id)) === true
    const found = meanings.find(isStored) ?? null
    const [only] = meanings
    if (!found && (stored !== null || meanings.length !== 1)) unknown.push(text)
    if (found) contexts.push(found)
    else if (only && meanings.length === 1) contexts.push(only)
  }
  return { contexts, unknown }
}

/**
 * The items that an id can refer to: an item of the collection it states, or, for a bare UUID, an item of any
 * collection.
 */
function meaningsOf(text: string): ContextReference[] {
  const stated = parseContextId(text)
  if (stated) return stated.id === '' ? [] : [stated]
  return z.uuid().safeParse(text).success ? COLLECTION_NAMES.map((collection) => ({ collection, id: text })) : []
}

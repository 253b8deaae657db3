/**
 * Context ids as clients send them, and the items that they name.
 * @module
 */
import * as z from 'zod'
import type { ContextReference } from '../../database/queries/interactions.ts'
import { COLLECTION_NAMES, contextId, isCollection, parseContextId } from '../../knowledge/collections.ts'
import type { Services } from '../../services.ts'
import { readItems } from '../context/context-views.ts'

/** What an interaction is recorded with. */
interface ResolvedContexts {
  /** What the ids name, in the order given, stored or not. */
  readonly contexts: ContextReference[]
  /** The ids that name nothing stored. */
  readonly unknown: string[]
}

/**
 * Finds what context ids name. An id without its collection is looked for in all of them. An unknown id never refuses an
 * interaction: one that has the form `collection/id` is recorded all the same. While a store doesn't answer, such ids count as known.
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

/** What an id can name: an item of the collection it states; a bare UUID an item of any. */
function meaningsOf(text: string): ContextReference[] {
  const stated = parseContextId(text)
  if (stated) return stated.id === '' ? [] : [stated]
  return z.uuid().safeParse(text).success ? COLLECTION_NAMES.map((collection) => ({ collection, id: text })) : []
}

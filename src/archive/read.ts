/**
 * Reads interactions from the tables or from an archive. If an interaction moves between reading the row and reading
 * the file, it is looked up again.
 * @module
 */
import { locations, textsInTable } from '../database/queries/archives.ts'
import { contextsOf, findInteraction, type Interaction } from '../database/queries/interactions.ts'
import { outcomeHistory } from '../database/queries/outcomes.ts'
import { CoordinatorError } from '../errors.ts'
import type { Services } from '../services.ts'
import { type ArchivedInteraction, readFile } from './file.ts'

/** The services for reading archives. */
export type ArchiveServices = Pick<Services, 'database' | 'datasets'>

/** Maximum number of look-ups of an interaction that moves. */
export const TRIES = 5

/** Where one interaction is. */
export interface Place {
  readonly id: string
  readonly archiveId: string | null
  readonly project: string
}

/**
 * The archived data of the given interactions. Interactions that have moved since are omitted. Each file is read once.
 */
export async function archivedLines(
  { datasets }: ArchiveServices,
  places: readonly Place[],
): Promise<Map<string, ArchivedInteraction>> {
  const found = new Map<string, ArchivedInteraction>()
  for (const [archiveId, own] of Map.groupBy(places, (place) => place.archiveId)) {
    const [first] = own
    if (archiveId === null || !first) continue
    const lines = await readFile(datasets, { id: archiveId, project: first.project })
    for (const { id } of own) {
      const line = lines?.get(id)
      if (line) found.set(id, line)
    }
  }
  return found
}

/** Query and answer of interactions by id. Deleted interactions are omitted. */
export async function textsOf(
  services: ArchiveServices,
  ids: readonly string[],
): Promise<Map<string, { readonly query: string; readonly response: string }>> {
  const found = new Map<string, { query: string; response: string }>()
  let missing: readonly string[] = ids
  for (let attempt = 0; missing.length > 0 && attempt < TRIES; attempt++) {
    const places = await locations(services.database, missing)
    const inTable = places.filter(({ archiveId }) => archiveId === null).map(({ id }) => id)
    if (inTable.length > 0) for (const row of await textsInTable(services.database, inTable)) found.set(row.id, row)
    for (const [id, line] of await archivedLines(services, places)) found.set(id, line)
    missing = places.map(({ id }) => id).filter((id) => !found.has(id))
  }
  const [lost] = missing
  if (lost !== undefined) throw fileIsGone(lost)
  return found
}

/** An interaction with its dependents. */
export interface WholeInteraction {
  readonly row: Interaction
  readonly contexts: readonly { readonly contextId: string; readonly position: number }[]
  readonly history: readonly {
    readonly outcome: string | null
    readonly userFeedback: number | null
    readonly at: number
  }[]
}

/**
 * One interaction with its contexts and outcome history; null if it doesn't exist, or belongs to another project than
 * the only one allowed.
 * @throws CoordinatorError `engine_unavailable` if its archive is not in R2
 */
export async function wholeInteraction(
  services: ArchiveServices,
  id: string,
  onlyProject: string | null,
): Promise<WholeInteraction | null> {
  const { database } = services
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const row = await findInteraction(database, id, onlyProject)
    if (!row) return null
    if (row.archiveId === null) {
      const [contexts, history] = await Promise.all([contextsOf(database, id), outcomeHistory(database, id)])
      if ((await findInteraction(database, id, null))?.archiveId !== null) continue
      return {
        row,
        contexts: contexts.map((c) => ({ contextId: `${c.collection}/${c.itemId}`, position: c.position })),
        history: history.map(({ outcome, userFeedback, createdAt }) => ({ outcome, userFeedback, at: createdAt })),
      }
    }
    const line = (await archivedLines(services, [row])).get(id)
    if (!line) continue
    return {
      row: { ...row, query: line.query, response: line.response },
      contexts: line.contexts.map((c) => ({ contextId: `${c.collection}/${c.item_id}`, position: c.position })),
      history: line.history.map((h) => ({ outcome: h.outcome, userFeedback: h.user_feedback, at: h.created_at })),
    }
  }
  throw fileIsGone(id)
}

/** The error for an interaction whose file is missing. */
export function fileIsGone(id: string): CoordinatorError {
  return new CoordinatorError(
    'engine_unavailable',
    `Interaction ${id} is archived, and its archive can't be read from R2.`,
    {
      hint: 'Check that the bucket DATASETS still holds the files under _archive/; its figures are still counted.',
    },
  )
}

/**
 * Restores archived interactions. Code that changes an interaction or its dependents moves it back to the tables first.
 * @module
 */
import { locations, moveFromArchive, type RestoredRow } from '../database/queries/archives.ts'
import { findInteraction, type Interaction } from '../database/queries/interactions.ts'
import { type ArchiveServices, archivedLines, fileIsGone, TRIES } from './read.ts'

/** Maximum interactions restored in one transaction. */
const TOGETHER = 20
/** Maximum characters of their dependents as JSON. */
const PORTION = 500_000

/**
 * Moves interactions back to the tables. Ignores interactions that are not archived or don't exist.
 * @param lost what to do if a file is missing: `refuse` throws, `leave` leaves the interaction archived
 * @returns number of restored interactions
 * @throws CoordinatorError `engine_unavailable` if an archive can't be read
 */
export async function restore(
  services: ArchiveServices,
  ids: readonly string[],
  lost: 'refuse' | 'leave' = 'refuse',
): Promise<number> {
  let restored = 0
  for (let at = 0; at < ids.length; at += TOGETHER)
    restored += await restoreFew(services, ids.slice(at, at + TOGETHER), lost)
  return restored
}

async function restoreFew(
  services: ArchiveServices,
  ids: readonly string[],
  lost: 'refuse' | 'leave',
): Promise<number> {
  let restored = 0
  for (let attempt = 0; ; attempt++) {
    const places = (await locations(services.database, ids)).filter(({ archiveId }) => archiveId !== null)
    const [first] = places
    if (!first) return restored
    if (attempt === TRIES) {
      if (lost === 'leave') return restored
      throw fileIsGone(first.id)
    }
    const lines = await archivedLines(services, places)
    const rows = places.flatMap(({ id, archiveId }): RestoredRow[] => {
      const line = lines.get(id)
      return line && archiveId !== null ? [{ ...line, archiveId }] : []
    })
    for (const part of portions(rows)) await moveFromArchive(services.database, part)
    restored += rows.length
  }
}

/** Splits rows into parts whose dependents fit in one statement. A single row always fits. */
function portions(rows: readonly RestoredRow[]): RestoredRow[][] {
  const parts: RestoredRow[][] = []
  let left = 0
  for (const row of rows) {
    const { contexts, history, votes, jobs } = row
    const size = JSON.stringify([contexts, history, votes, jobs]).length
    if (size > left) {
      parts.push([])
      left = PORTION
    }
    parts.at(-1)?.push(row)
    left -= size
  }
  return parts
}

/** One interaction, restored to the tables with its dependents; null if it doesn't exist. */
export async function tableInteraction(services: ArchiveServices, id: string): Promise<Interaction | null> {
  const row = await findInteraction(services.database, id, null)
  if (!row || row.archiveId === null) return row
  await restore(services, [id])
  return findInteraction(services.database, id, null)
}

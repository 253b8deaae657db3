/**
 * Moves what nothing has changed for long from D1 to R2, in steps that may each be repeated and cut off anywhere: a file is enqueued in the
 * database, written, read again and compared, and only then do the rows move to it, in one transaction, those of them that are still as
 * they were read. Files that hold more than what rests on them are rewritten; those that nothing rests on are deleted.
 * @module
 */

import { type Budget, budgetHere } from '../budget.ts'
import {
  type Archive,
  abandonArchive,
  beginArchive,
  coldRows,
  findArchive,
  forgetArchive,
  idsInArchive,
  moveBetweenArchives,
  moveToArchive,
  nextUntidy,
  noteTidy,
} from '../database/queries/archives.ts'
import { newId } from '../ids.ts'
import type { Services } from '../services.ts'
import { DAY_MS } from '../time.ts'
import {
  type ArchivedInteraction,
  archivedInteraction,
  archiveKey,
  callersOf,
  jobsByKind,
  pack,
  readFile,
  writeFile,
} from './file.ts'

/** Whoever was writing an archive that is older than this is no longer at it: it is the lease of a job, and more. */
export const WRITING_MS = 300_000

type Step = Pick<Services, 'database' | 'datasets' | 'now' | 'settings'>

/** Time before which an interaction must have changed last to be archived; null: nothing is. */
export function coldBefore({ settings, now }: Pick<Services, 'settings' | 'now'>): number | null {
  return settings.ARCHIVE_AFTER_DAYS === 0 ? null : now() - settings.ARCHIVE_AFTER_DAYS * DAY_MS
}

/** The job: tidies a project's archives and adds to them while the budget lasts; `more` while something is left. */
export async function archiveInteractions(
  services: Services,
  project: string,
  budget: Budget = budgetHere(),
): Promise<'done' | 'more'> {
  while (!budget.spent) {
    if (!(await tidyNext(services, project)) && !(await archiveNext(services, project))) return 'done'
  }
  return 'more'
}

/** Archives the oldest cold interactions of a project; false when there are none. */
export async function archiveNext(services: Step, project: string): Promise<boolean> {
  const before = coldBefore(services)
  if (before === null) return false
  const rows = await coldRows(services.database, project, before)
  if (rows.length === 0) return false
  const lines = rows.map(archivedInteraction)
  // When all of them have changed meanwhile there is no hurry to try again.
  return write(services, project, lines, (archive) =>
    moveToArchive(
      services.database,
      archive,
      rows.map((row, i) => ({
        row,
        bytes: size(row.query) + size(row.response),
        jobs: jobsByKind(lines[i] as ArchivedInteraction),
      })),
    ),
  )
}

/** Writes a file and lets rows come to rest on it; false when none did, and then the file is gone again. */
async function write(
  services: Step,
  project: string,
  lines: readonly ArchivedInteraction[],
  move: (archive: Archive) => Promise<void>,
): Promise<boolean> {
  const { database, datasets } = services
  const file = await pack(lines)
  const archive: Archive = {
    id: newId(),
    project,
    status: 'writing',
    lines: lines.length,
    bytes: file.content.byteLength,
    sha256: file.sha256,
    callers: callersOf(lines),
    stale: false,
    createdAt: services.now(),
  }
  await beginArchive(database, archive)
  await writeFile(datasets, archiveKey(archive), file)
  await move(archive)
  const moved = (await idsInArchive(database, archive)).length > 0
  const stored = await findArchive(database, archive.id)
  // Given up by someone else meanwhile: then nothing rests on it, and the file that came after must not stay.
  if (stored?.status !== 'stored') await datasets.delete(archiveKey(archive))
  else if (stored.stale) await tidy(services, stored)
  return moved
}

/**
 * Brings the next untidy archive of a project, or of all, to what rests on it.
 * @returns false when there is none that can be tidied now
 */
export async function tidyNext(services: Step, project: string | null): Promise<boolean> {
  for (let after = ''; ; ) {
    const archive = await nextUntidy(services.database, project, after)
    if (!archive) return false
    after = archive.id
    if (archive.status === 'writing' && services.now() - archive.createdAt < WRITING_MS) continue
    await tidy(services, archive)
    return true
  }
}

/** Rewrites an archive without the lines that nothing points to, or deletes it when there are no others. */
async function tidy(services: Step, archive: Archive): Promise<void> {
  const { database, datasets } = services
  const ids = await idsInArchive(database, archive)
  if (ids.length === archive.lines) return noteTidy(database, archive.id)
  if (ids.length > 0) {
    const lines = await readFile(datasets, archive)
    // Nothing can be tidied in a file that is missing. The rows keep their pointer to it: someone may bring it back.
    if (!lines) return noteTidy(database, archive.id)
    const kept = ids.flatMap((id) => lines.get(id) ?? [])
    if (kept.length < ids.length) throw new Error(`Archive ${archive.id} lacks interactions that rest on it.`)
    await write(services, archive.project, kept, (to) => moveBetweenArchives(database, archive.id, to, ids))
  }
  if (!(await abandonArchive(database, archive))) return
  // The file first: a row without its file is found again, a file without its row would not be.
  await datasets.delete(archiveKey(archive))
  await forgetArchive(database, archive.id)
}

function size(text: string): number {
  return new TextEncoder().encode(text).length
}

/**
 * Moves interactions that have not changed for long from D1 to R2, in steps that can be repeated and interrupted at any
 * point. A file is registered in the database, written, read again and compared. Only then do the rows that are still
 * unchanged move to it, in one transaction. Files that contain more than their rows refer to are rewritten. Files
 * without rows are deleted.
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

/** After this time, the writer of an archive is no longer running: it is longer than the lease of a job. */
export const WRITING_MS = 300_000

type Step = Pick<Services, 'database' | 'datasets' | 'now' | 'settings'>

/** Interactions that last changed before this time are archived; null: none. */
export function coldBefore({ settings, now }: Pick<Services, 'settings' | 'now'>): number | null {
  return settings.ARCHIVE_AFTER_DAYS === 0 ? null : now() - settings.ARCHIVE_AFTER_DAYS * DAY_MS
}

/**
 * The archiving job: tidies a project's archives and adds to them until the budget is used up. Returns `more` if work
 * is left.
 */
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

/** Archives the oldest cold interactions of a project. Returns false if there are none. */
export async function archiveNext(services: Step, project: string): Promise<boolean> {
  const before = coldBefore(services)
  if (before === null) return false
  const rows = await coldRows(services.database, project, before)
  if (rows.length === 0) return false
  const lines = rows.map(archivedInteraction)
  // If all of them have changed in the meantime, don't try again immediately.
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

/** Writes a file and moves rows to it. Returns false if none moved; then the file is deleted. */
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
  // The archive was abandoned in the meantime: it has no rows, so the file written afterwards must be deleted.
  if (stored?.status !== 'stored') await datasets.delete(archiveKey(archive))
  else if (stored.stale) await tidy(services, stored)
  return moved
}

/**
 * Tidies the next untidy archive of a project, or of all projects.
 * @returns false if none can be tidied now
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

/** Rewrites an archive without the lines that no row refers to, or deletes it if no others are left. */
async function tidy(services: Step, archive: Archive): Promise<void> {
  const { database, datasets } = services
  const ids = await idsInArchive(database, archive)
  if (ids.length === archive.lines) return noteTidy(database, archive.id)
  if (ids.length > 0) {
    const lines = await readFile(datasets, archive)
    // A missing file can't be tidied. The rows still refer to it, because the file may be restored.
    if (!lines) return noteTidy(database, archive.id)
    const kept = ids.flatMap((id) => lines.get(id) ?? [])
    if (kept.length < ids.length) throw new Error(`Archive ${archive.id} lacks interactions that rest on it.`)
    await write(services, archive.project, kept, (to) => moveBetweenArchives(database, archive.id, to, ids))
  }
  if (!(await abandonArchive(database, archive))) return
  // Delete the file first: a row without its file can be found again, but a file without its row can't.
  await datasets.delete(archiveKey(archive))
  await forgetArchive(database, archive.id)
}

function size(text: string): number {
  return new TextEncoder().encode(text).length
}

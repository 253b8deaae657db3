/**
 * The part of a deletion that lies in archives. What is to go is brought back to the tables and deleted there like everything else; then the
 * archives that held it are rewritten without it.
 * @module
 */

import { tidyNext } from '../archive/archive.ts'
import { archivePrefix, callersOf, readFile } from '../archive/file.ts'
import { restore } from '../archive/restore.ts'
import { nextArchiveOfCaller, nextUntidy } from '../database/queries/archives.ts'
import type { Selection } from '../database/queries/erasure.ts'
import type { Services } from '../services.ts'

/** Files that R2 lists and deletes at once. */
const FILES = 1_000

interface Step {
  readonly counts: Record<string, number>
  readonly cursor: string | null
}

/** Brings back what a key said of others' interactions; the cursor is the archive that was looked at. */
export async function restoreVotes(
  services: Services,
  selection: Extract<Selection, { what: 'key' }>,
  after: string,
): Promise<Step> {
  const archive = await nextArchiveOfCaller(services.database, selection, after)
  if (!archive) return { counts: {}, cursor: null }
  const lines = [...((await readFile(services.datasets, archive))?.values() ?? [])]
  const own = lines.filter((line) => callersOf([line]).includes(selection.key)).map(({ id }) => id)
  await restore(services, own, 'leave')
  return { counts: {}, cursor: archive.id }
}

/** Rewrites the next archive that holds more than what refers to it. Ends when there are none, nor any that is being written. */
export async function tidyArchives(services: Services, project: string | null): Promise<Step> {
  if (await tidyNext(services, project)) return { counts: { archives_rewritten: 1 }, cursor: 'more' }
  return { counts: {}, cursor: (await nextUntidy(services.database, project)) ? 'more' : null }
}

/** Deletes the files of a project's archives; their rows go with their table. */
export async function eraseArchiveFiles(services: Services, project: string): Promise<Step> {
  const files = await archiveFiles(services, project)
  if (files.length > 0) {
    await services.datasets.delete(files)
    return { counts: { archive_files: files.length }, cursor: 'more' }
  }
  // One that is being written may yet come; it finds that what it holds is gone, and takes it away again.
  const untidy = await nextUntidy(services.database, project)
  if (untidy && (await tidyNext(services, project))) return { counts: {}, cursor: 'more' }
  return { counts: {}, cursor: untidy ? 'more' : null }
}

/** Keys of the files of a project's archives, 1,000 at most. */
export async function archiveFiles(services: Services, project: string): Promise<string[]> {
  const { objects } = await services.datasets.list({ prefix: archivePrefix(project), limit: FILES })
  return objects.map(({ key }) => key)
}

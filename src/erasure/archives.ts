/**
 * Deletes data in archives. The affected interactions are restored to the tables and deleted there like all others.
 * Then the archives that contained them are rewritten.
 * @module
 */

import { tidyNext } from '../archive/archive.ts'
import { archivePrefix, callersOf, readFile } from '../archive/file.ts'
import { restore } from '../archive/restore.ts'
import { nextArchiveOfCaller, nextUntidy } from '../database/queries/archives.ts'
import type { Selection } from '../database/queries/erasure-selection.ts'
import type { Services } from '../services.ts'

/** Number of files that R2 lists and deletes in one request. */
const FILES = 1_000

interface Step {
  readonly counts: Record<string, number>
  readonly cursor: string | null
}

/** Restores the interactions of others that a key reported on. The cursor is the last processed archive. */
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

/**
 * Rewrites the next archive that contains more than its rows refer to. Ends when there are none, including none being
 * written.
 */
export async function tidyArchives(services: Services, project: string | null): Promise<Step> {
  if (await tidyNext(services, project)) return { counts: { archives_rewritten: 1 }, cursor: 'more' }
  return { counts: {}, cursor: (await nextUntidy(services.database, project)) ? 'more' : null }
}

/** Deletes the files of a project's archives. Their rows are deleted with their table. */
export async function eraseArchiveFiles(services: Services, project: string): Promise<Step> {
  const files = await archiveFiles(services, project)
  if (files.length > 0) {
    await services.datasets.delete(files)
    return { counts: { archive_files: files.length }, cursor: 'more' }
  }
  // A file that is being written may still appear. Its writer will find that its rows are gone, and delete it.
  const untidy = await nextUntidy(services.database, project)
  if (untidy && (await tidyNext(services, project))) return { counts: {}, cursor: 'more' }
  return { counts: {}, cursor: untidy ? 'more' : null }
}

/** Keys of the files of a project's archives, at most 1,000. */
export async function archiveFiles(services: Services, project: string): Promise<string[]> {
  const { objects } = await services.datasets.list({ prefix: archivePrefix(project), limit: FILES })
  return objects.map(({ key }) => key)
}

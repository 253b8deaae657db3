/**
 * Deletes data in R2. A dataset with even one affected row is withdrawn completely: its name is the hash of its bytes,
 * so it can't be edited. The next export creates a dataset without those rows.
 * @module
 */
import { datasetsAfter, type Selection, selectedAmong } from '../database/queries/erasure-selection.ts'
import { findDataset, forgetDataset, unrecordedKeys } from '../database/queries/exports.ts'
import type { Services } from '../services.ts'
import { companionKeys } from '../training-data/datasheet.ts'
import { type LineagePage, lineagePage } from '../training-data/lineage.ts'
import { abortUploads } from '../training-data/upload.ts'

/** Number of files that R2 deletes in one request. */
const FILES = 1_000

interface Step {
  readonly counts: Record<string, number>
  readonly cursor: string | null
}

/**
 * Checks the next page of rows of a dataset, or the next dataset, and withdraws it if one of its rows was deleted or
 * belongs to the selection. Runs after the rows were deleted, so that an export that read them is either found here or
 * rejected when it is recorded.
 * @param cursor id of the last checked dataset, optionally followed by the row to continue from
 */
export async function eraseDataset(services: Services, selection: Selection, cursor: string): Promise<Step> {
  const { database } = services
  if (cursor === '') await abortUploads(services, selection.project)
  const [id = '', row] = cursor.split(' ')
  const dataset =
    row === undefined ? await datasetsAfter(database, selection.project, id) : await findDataset(database, id, null)
  if (!dataset) return { counts: {}, cursor: row === undefined ? null : id }
  const page = await lineagePage(services.datasets, dataset, Number(row ?? 0))
  if (!page || !(await selectedAmong(database, selection, page.ids))) {
    return { counts: {}, cursor: page?.next ? `${dataset.id} ${page.next}` : dataset.id }
  }
  const { sheet, lineage } = companionKeys(dataset.key)
  await services.datasets.delete([dataset.key, sheet, lineage])
  await forgetDataset(database, dataset.id)
  return { counts: { datasets_withdrawn: 1 }, cursor: dataset.id }
}

/** Counts, for the receipt, the datasets recorded since a deletion started that contain deleted rows. */
export async function countDeletedInDatasets(services: Services, selection: Selection, since: number): Promise<number> {
  let count = 0
  for (let after = ''; ; ) {
    const dataset = await datasetsAfter(services.database, selection.project, after, since)
    if (!dataset) return count
    after = dataset.id
    for (let from: number | null = 0; from !== null; ) {
      const page: LineagePage | null = await lineagePage(services.datasets, dataset, from)
      from = page?.next ?? null
      if (!page || !(await selectedAmong(services.database, selection, page.ids))) continue
      count++
      from = null
    }
  }
}

/**
 * Deletes files of a project's datasets that no dataset refers to, such as those of an interrupted export. An export in
 * progress is not recorded while a deletion runs, so it loses nothing.
 */
export async function eraseUnrecordedFiles(services: Services, project: string): Promise<number> {
  const files = await projectFiles(services, project)
  const base = (key: string) => key.replace(/\.(?:datasheet\.json|lineage\.txt)$/, '.jsonl')
  const unrecorded = new Set(await unrecordedKeys(services.database, project, [...new Set(files.map(base))]))
  const left = files.filter((key) => unrecorded.has(base(key)))
  if (left.length > 0) await services.datasets.delete(left)
  return left.length
}

/** Deletes the files of a project's datasets, recorded or not. Database entries are deleted with their table. */
export async function eraseDatasetFiles(services: Services, project: string): Promise<Step> {
  await abortUploads(services, project)
  const files = (await projectFiles(services, project)).slice(0, FILES)
  if (files.length > 0) {
    await services.datasets.delete(files)
    return { counts: { dataset_files: files.length }, cursor: 'more' }
  }
  // Files that were stored elsewhere, under a different FINETUNE_DATA_PATH.
  const dataset = await datasetsAfter(services.database, project, '')
  if (!dataset) return { counts: {}, cursor: null }
  const { sheet, lineage } = companionKeys(dataset.key)
  await services.datasets.delete([dataset.key, sheet, lineage])
  await forgetDataset(services.database, dataset.id)
  return { counts: { exports: 1 }, cursor: 'more' }
}

/** Keys of the files with a project's prefix, at most 1,000. */
export async function projectFiles(services: Services, project: string): Promise<string[]> {
  const base = services.settings.FINETUNE_DATA_PATH.replace(/^\/+|\/+$/g, '')
  const prefix = `${[base, project].filter((part) => part !== '').join('/')}/`
  return (await services.datasets.list({ prefix, limit: FILES })).objects.map(({ key }) => key)
}

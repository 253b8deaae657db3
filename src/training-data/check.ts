/**
 * Whether a dataset still holds: what it was made of may have turned since.
 * @module
 */
import { type Dataset, withdrawnExamples } from '../database/queries/exports.ts'
import { CoordinatorError } from '../errors.ts'
import type { Services } from '../services.ts'
import { companionKeys } from './datasheet.ts'
import type { DatasetFormat } from './formats.ts'
import { storedFilter } from './settings.ts'

/** Ids that are looked up at once. */
const PAGE = 500

export interface Withdrawn {
  readonly id: string
  /** Why it would not be taken today, e.g. `negative_feedback`. */
  readonly reason: string
}

/**
 * The rows of a dataset that would not be exported today, because an outcome, a rating or a correction came later.
 * @throws CoordinatorError `not_found` when the lineage is no longer stored
 */
export async function findWithdrawn(services: Services, dataset: Dataset): Promise<Withdrawn[]> {
  const lineage = await services.datasets.get(companionKeys(dataset.key).lineage)
  if (!lineage)
    throw new CoordinatorError('not_found', 'The lineage of this dataset is no longer stored.', { field: 'dataset_id' })
  const ids = (await lineage.text()).split('\n').filter((id) => id !== '')
  const filter = storedFilter(dataset.project, dataset.format as DatasetFormat, dataset.filters)
  const withdrawn: Withdrawn[] = []
  for (let from = 0; from < ids.length; from += PAGE) {
    withdrawn.push(...(await withdrawnExamples(services.database, filter, ids.slice(from, from + PAGE))))
  }
  return withdrawn
}

/**
 * Checks whether a dataset is still valid: its sources may have changed since.
 * @module
 */
import type { Budget } from '../budget.ts'
import { type Dataset, withdrawnExamples } from '../database/queries/exports.ts'
import { CoordinatorError } from '../errors.ts'
import type { Services } from '../services.ts'
import type { DatasetFormat } from './formats.ts'
import { lineagePage } from './lineage.ts'
import { storedFilter } from './settings.ts'

/** Maximum number of withdrawn rows listed. */
export const NAMED_ROWS = 1_000

/** The progress and findings of a check: rows that would not be exported today. */
export interface CheckState {
  /** Number of the next row; null: all rows were checked. */
  readonly from: number | null
  readonly withdrawn: number
  /** Number of rows by reason, e.g. `negative_feedback`. */
  readonly by_reason: Readonly<Record<string, number>>
  /** The first withdrawn rows. */
  readonly examples: readonly { readonly id: string; readonly reason: string }[]
}

const NOTHING: CheckState = { from: 0, withdrawn: 0, by_reason: {}, examples: [] }

/**
 * Checks rows of a dataset until the budget is used up. Finds rows that would not be exported today, because of a later
 * outcome, rating or correction.
 * @param state the result of the previous step; null: this is the first step
 * @throws CoordinatorError `not_found` if the lineage is no longer stored
 */
export async function checkDataset(
  services: Services,
  dataset: Dataset,
  state: CheckState | null,
  budget: Budget,
): Promise<CheckState> {
  const filter = storedFilter(dataset.project, dataset.format as DatasetFormat, dataset.filters)
  let { from, withdrawn, examples, ...rest } = state ?? NOTHING
  const by_reason = { ...rest.by_reason }
  while (from !== null && !budget.spent) {
    const page = await lineagePage(services.datasets, dataset, from)
    if (!page) throw new CoordinatorError('not_found', 'The lineage of this dataset is no longer stored.')
    const found = await withdrawnExamples(services.database, filter, page.ids)
    for (const { reason } of found) by_reason[reason] = (by_reason[reason] ?? 0) + 1
    withdrawn += found.length
    examples = [...examples, ...found].slice(0, NAMED_ROWS)
    from = page.next
  }
  return { from, withdrawn, by_reason, examples }
}

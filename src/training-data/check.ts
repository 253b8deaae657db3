/**
 * Whether a dataset still holds: what it was made of may have turned since.
 * @module
 */
import type { Budget } from '../budget.ts'
import { type Dataset, withdrawnExamples } from '../database/queries/exports.ts'
import { CoordinatorError } from '../errors.ts'
import type { Services } from '../services.ts'
import type { DatasetFormat } from './formats.ts'
import { lineagePage } from './lineage.ts'
import { storedFilter } from './settings.ts'

/** Withdrawn rows that are named. */
export const NAMED_ROWS = 1_000

/** How far a check is, and what it has found: rows that would not be exported today. */
export interface CheckState {
  /** Number of the next row; null: all were looked at. */
  readonly from: number | null
  readonly withdrawn: number
  /** Why they would not be taken, e.g. `negative_feedback`. */
  readonly by_reason: Readonly<Record<string, number>>
  /** The first of them. */
  readonly examples: readonly { readonly id: string; readonly reason: string }[]
}

const NOTHING: CheckState = { from: 0, withdrawn: 0, by_reason: {}, examples: [] }

/**
 * Looks at rows of a dataset for as long as the budget lasts: which would not be exported today, because an outcome, a rating or a
 * correction came later.
 * @param state where the last step ended; null: this is the first
 * @throws CoordinatorError `not_found` when the lineage is no longer stored
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

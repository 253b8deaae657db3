/**
 * Previews the content of an export without writing anything.
 * @module
 */
import { type Budget, budgetHere } from '../budget.ts'
import { countSkipped } from '../database/queries/exports.ts'
import type { Services } from '../services.ts'
import { earlierRows, flagsOf } from './earlier.ts'
import { ExampleReader, FIRST_PLACE, noCounts, SIDES, sidesOf, withoutSecrets } from './examples.ts'
import { positive } from './export.ts'
import { FingerprintSet } from './fingerprints.ts'
import { formatExample } from './formats.ts'
import { PromptGroups } from './groups.ts'
import { type ExportSettings, selectionOf } from './settings.ts'

/** Number of rows shown in a preview. */
const SHOWN = 3

export interface DatasetPreview {
  readonly rows: number
  readonly skipped: Readonly<Record<string, number>>
  /** The first rows, in the file's format. */
  readonly examples: string[]
  /** False: the budget was used up, and there may be more rows. */
  readonly complete: boolean
}

/** Reads the examples once, or twice for a split, until the budget is used up. */
export async function previewDataset(
  services: Services,
  settings: ExportSettings,
  budget: Budget = budgetHere(),
): Promise<DatasetPreview> {
  const selection = selectionOf(settings)
  const earlier = await earlierRows(services, settings)
  const { split, validationShare, format, systemPrompt } = settings
  const reader = (exclude: Pick<FingerprintSet, 'has'>, counts = noCounts()) =>
    new ExampleReader(services, selection, FIRST_PLACE, new FingerprintSet(), exclude, counts)
  let sides: Uint8Array | null = null
  if (split !== 'all') {
    const groups = new PromptGroups()
    const prompts = reader({ has: () => false })
    for (let page = await prompts.next(); page !== null && !budget.spent; page = await prompts.next())
      for (const { id, prompt } of page) groups.add(prompt, id, flagsOf(earlier, id))
    sides = sidesOf(groups, split, validationShare)
  }
  const counts = noCounts()
  const examples: string[] = []
  const rows = reader(earlier.here, counts)
  const limit = settings.limit ?? Number.POSITIVE_INFINITY
  let [taken, index, complete] = [0, 0, false]
  while (!budget.spent && !complete) {
    const page = taken < limit ? await rows.next() : null
    for (const example of page ?? []) {
      const side = SIDES[sides?.[index++] ?? 0] ?? 'taken'
      if (side !== 'taken') counts[side]++
      else if (taken++ < Math.min(SHOWN, limit)) {
        examples.push(formatExample(format, withoutSecrets(example, {}), systemPrompt))
      }
    }
    complete = page === null
  }
  const { thinking_cut: _, thinking_kept: __, ...left } = counts
  const skipped = { ...(await countSkipped(services.database, selection.filter)), ...positive(left) }
  return { rows: Math.min(taken, limit), skipped, examples, complete }
}

/**
 * The rows of earlier datasets with the same settings, which an increment leaves out.
 * @module
 */
import { datasetsOfSeries } from '../database/queries/exports.ts'
import { sha256 } from '../hash.ts'
import { stableJson } from '../knowledge/prepare.ts'
import type { Services } from '../services.ts'
import { HERE, THERE } from './examples.ts'
import { FingerprintSet } from './fingerprints.ts'
import { type LineagePage, lineagePage } from './lineage.ts'
import { type ExportSettings, filtersOf } from './settings.ts'

/** Ids of rows in earlier datasets, by side of the split. */
export interface EarlierRows {
  readonly here: FingerprintSet
  readonly there: FingerprintSet
}

export const NO_EARLIER_ROWS: EarlierRows = { here: new FingerprintSet(), there: new FingerprintSet() }

/** Flags of a row for the split; see examples.ts. */
export function flagsOf({ here, there }: EarlierRows, id: string): number {
  return (here.has(id) ? HERE : 0) | (there.has(id) ? THERE : 0)
}

/** Reads the ids from the lineage files. Empty unless the settings request an increment. */
export async function earlierRows(services: Services, settings: ExportSettings): Promise<EarlierRows> {
  if (!settings.incremental) return NO_EARLIER_ROWS
  const filters = filtersOf(settings)
  const { project, split } = settings
  const otherSide = split === 'train' ? 'validation' : 'train'
  return {
    here: await idsOf(services, project, await seriesOf(filters)),
    there:
      split === 'all'
        ? new FingerprintSet()
        : await idsOf(services, project, await seriesOf({ ...filters, split: otherSide })),
  }
}

async function idsOf(services: Services, project: string, series: string): Promise<FingerprintSet> {
  const ids = new FingerprintSet()
  for (const dataset of await datasetsOfSeries(services.database, project, series)) {
    for (let from: number | null = 0; from !== null; ) {
      const page: LineagePage | null = await lineagePage(services.datasets, dataset, from)
      for (const id of page?.ids ?? []) ids.add(id)
      from = page?.next ?? null
    }
  }
  return ids
}

/** A short hash of settings. Equal settings have equal hashes. */
export async function shortHash(filters: Record<string, unknown>): Promise<string> {
  return (await sha256(stableJson(filters))).slice(0, 16)
}

/** Identifies datasets with the same settings, complete ones and increments. */
export function seriesOf(filters: Record<string, unknown>): Promise<string> {
  return shortHash({ ...filters, incremental: false })
}

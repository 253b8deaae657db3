/**
 * Makes a dataset: the one function behind generate_training_data, POST /learning/export and the nightly cron.
 * @module
 */
import { deletedSince } from '../database/queries/deletions.ts'
import {
  countSkipped,
  type Dataset,
  findDatasetByKey,
  keysOfSeries,
  recordDataset,
} from '../database/queries/exports.ts'
import { CoordinatorError } from '../errors.ts'
import { sha256 } from '../hash.ts'
import { stableJson } from '../knowledge/prepare.ts'
import type { Services } from '../services.ts'
import { companionKeys, SheetRecorder } from './datasheet.ts'
import { examplePages, noCounts, type Selection, type SplitMask, type StreamCounts, splitMask } from './examples.ts'
import { EXAMPLE_KIND, formatExample } from './formats.ts'
import { type ExportSettings, filterOf, filtersOf } from './settings.ts'
import { HashingSink } from './sink.ts'
import { UPLOAD_OPTIONS, uploadInParts } from './upload.ts'

export interface ExportResult {
  readonly dataset: Dataset
  /** False: the same dataset was there already and no file was written. */
  readonly created: boolean
}

/** Reading twice fails when data changes in between; so often it is tried before giving up. */
const TRIES = 3

/** One run over the data. */
interface Run {
  readonly services: Services
  readonly settings: ExportSettings
  readonly selection: Selection
  readonly mask: SplitMask
}

/**
 * Writes a dataset to R2, its datasheet and lineage beside it, and notes it. The content is read once to be hashed and, when it
 * is larger than one part, a second time to be uploaded under the key that its hash gives, so any size needs the memory of one
 * page and one part. The same data and settings give the same bytes, the same key and the same dataset. One that was interrupted continues
 * with the parts that were uploaded.
 * @throws CoordinatorError `conflict` when the data kept changing while it was read, or was deleted meanwhile
 */
export async function exportDataset(services: Services, settings: ExportSettings): Promise<ExportResult> {
  const startedAt = services.now()
  if (await deletedSince(services.database, settings.project, startedAt)) throw deletionRuns()
  const filters = filtersOf(settings)
  const settingsHash = await shortHash(filters)
  const series = await seriesOf(filters)
  const selection = await selectionOf(services, settings)
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const run = { services, settings, selection, mask: await splitMask(services, selection) }
    const counts = noCounts()
    const recorder = new SheetRecorder()
    const sink = new HashingSink()
    const rows = await stream(run, counts, recorder, sink)
    const { sha256: hash, bytes, content } = await sink.finish()
    const key = datasetKey(services, settings, hash, settingsHash)
    const known = await findDatasetByKey(services.database, key)
    if (known && (await services.datasets.head(key))) return { dataset: known, created: false }
    if (content) await services.datasets.put(key, content, { ...UPLOAD_OPTIONS, sha256: hash })
    else {
      const target = { project: settings.project, key, expected: hash }
      if (!(await uploadInParts(services, target, (parts) => stream(run, noCounts(), null, parts)))) continue
    }
    const { thinking_cut: cut, thinking_kept: kept } = counts
    const skipped = await skippedBy(services, selection, counts)
    const sheet = { ...recorder.figures(), thinking: { cut, kept }, license: settings.license, series }
    await writeCompanions(services, key, recorder, {
      ...sheet,
      project: settings.project,
      rows,
      bytes,
      sha256: hash,
      filters,
      skipped,
    })
    const entry = {
      project: settings.project,
      format: settings.format,
      filters,
      key,
      rows,
      bytes,
      sha256: hash,
      sheet,
      skipped,
      createdAt: services.now(),
    }
    const dataset = await recordDataset(services.database, entry, startedAt)
    if (!dataset) {
      const { sheet, lineage } = companionKeys(key)
      await services.datasets.delete([key, sheet, lineage])
      throw deletionRuns()
    }
    return { dataset, created: known === null }
  }
  throw new CoordinatorError('conflict', 'The interactions kept changing while they were exported.', {
    hint: 'Name `until` as a time in the past, or export again when it is quieter.',
  })
}

/** Rows that a preview shows. */
const PREVIEW_ROWS = 3

/** What an export with these settings would hold. Reads the data once, writes nothing. */
export async function previewDataset(
  services: Services,
  settings: ExportSettings,
): Promise<{ rows: number; skipped: Record<string, number>; examples: string[] }> {
  const selection = await selectionOf(services, settings)
  const counts = noCounts()
  const examples: string[] = []
  let rows = 0
  for await (const page of examplePages(services, selection, await splitMask(services, selection), counts, {})) {
    rows += page.length
    for (const example of page.slice(0, PREVIEW_ROWS - examples.length))
      examples.push(formatExample(settings.format, example, settings.systemPrompt))
  }
  return { rows, skipped: await skippedBy(services, selection, counts), examples }
}

/** Interactions that are not taken, by reason. */
async function skippedBy(
  services: Services,
  { filter }: Selection,
  counts: StreamCounts,
): Promise<Record<string, number>> {
  const { thinking_cut: _, thinking_kept: __, ...left } = counts
  return { ...(await countSkipped(services.database, filter)), ...positive(left) }
}

function deletionRuns(): CoordinatorError {
  return new CoordinatorError('conflict', 'Data of this project is being deleted, so nothing was exported.', {
    field: 'project',
    hint: 'Export again when the deletion is done.',
  })
}

interface ByteSink {
  write(chunk: Uint8Array): Promise<void>
}

/** Formats every example into a sink; returns the number of rows. */
async function stream(run: Run, counts: StreamCounts, recorder: SheetRecorder | null, sink: ByteSink): Promise<number> {
  const { format, systemPrompt } = run.settings
  const encoder = new TextEncoder()
  let rows = 0
  const pages = examplePages(run.services, run.selection, run.mask, counts, recorder?.redacted ?? {})
  for await (const page of pages) {
    rows += page.length
    await recorder?.record(page)
    const lines = page.map((example) => `${formatExample(format, example, systemPrompt)}\n`)
    await sink.write(encoder.encode(lines.join('')))
  }
  return rows
}

/** Stores datasheet and lineage. The sheet says nothing that changes from one run to the next over the same data. */
async function writeCompanions(services: Services, key: string, recorder: SheetRecorder, sheet: object): Promise<void> {
  const keys = companionKeys(key)
  const lineage = recorder.lineage()
  const text = JSON.stringify({ ...sheet, lineage: { key: keys.lineage, sha256: await sha256(lineage) } }, null, 2)
  await services.datasets.put(keys.lineage, lineage, { httpMetadata: { contentType: 'text/plain' } })
  await services.datasets.put(keys.sheet, `${text}\n`, { httpMetadata: { contentType: 'application/json' } })
}

/** Ids that the datasets of a series hold, from their lineage files. */
async function exportedBefore(services: Services, project: string, series: string): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const key of await keysOfSeries(services.database, project, series)) {
    const lineage = await services.datasets.get(companionKeys(key).lineage)
    for (const id of ((await lineage?.text()) ?? '').split('\n')) if (id !== '') ids.add(id)
  }
  return ids
}

/** `<prefix>/<project>/<format>-<hash of the bytes>-<hash of the settings>.jsonl` */
function datasetKey(services: Services, settings: ExportSettings, hash: string, settingsHash: string): string {
  const prefix = services.settings.FINETUNE_DATA_PATH.replace(/^\/+|\/+$/g, '')
  const name = `${settings.format}-${hash}-${settingsHash}.jsonl`
  return [prefix, settings.project, name].filter((part) => part !== '').join('/')
}

async function shortHash(filters: Record<string, unknown>): Promise<string> {
  return (await sha256(stableJson(filters))).slice(0, 16)
}

async function selectionOf(services: Services, settings: ExportSettings): Promise<Selection> {
  const filters = filtersOf(settings)
  const before = (split: Selection['split']) =>
    seriesOf({ ...filters, split }).then((series) => exportedBefore(services, settings.project, series))
  const none = new Set<string>()
  const { incremental, split } = settings
  const exclude = incremental ? await before(split) : none
  const excludedSide = incremental && split !== 'all' ? await before(split === 'train' ? 'validation' : 'train') : none
  return {
    filter: filterOf(settings),
    includeCorrections: settings.includeCorrections || EXAMPLE_KIND[settings.format] === 'pair',
    limit: settings.limit,
    split: settings.split,
    validationShare: settings.validationShare,
    exclude,
    excludedSide,
    thinking: settings.thinking,
  }
}

/** Names the datasets with the same settings, whole ones and increments alike. */
function seriesOf(filters: Record<string, unknown>): Promise<string> {
  return shortHash({ ...filters, incremental: false })
}

/** The counters that counted something. */
function positive(counts: Partial<StreamCounts>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

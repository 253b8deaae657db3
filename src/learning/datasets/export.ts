/**
 * Makes a dataset: the one function behind generate_training_data, POST /learning/export and the nightly cron.
 * @module
 */
import { countSkipped, type Dataset, findDatasetByKey, recordDataset } from '../../database/queries/exports.ts'
import type { AgentType, Outcome } from '../../database/schema.ts'
import { CoordinatorError } from '../../errors.ts'
import { sha256, stableJson } from '../../knowledge/prepare.ts'
import type { Services } from '../../operations/operation.ts'
import { examplePages, type Selection, type StreamCounts } from './examples.ts'
import { type DatasetFormat, EXAMPLE_KIND, formatExample } from './formats.ts'
import { HashingSink, MultipartSink } from './sink.ts'

/** First message of every example unless the caller names another. */
export const DEFAULT_SYSTEM_PROMPT = 'You are a helpful and precise software engineering assistant.'

export interface ExportSettings {
  readonly project: string
  readonly format: DatasetFormat
  readonly outcome: Outcome
  /** 0 to 1; null: any. */
  readonly minValueScore: number | null
  readonly since: number | null
  readonly until: number | null
  readonly agentType: AgentType | null
  readonly tags: readonly string[]
  readonly variant: string | null
  readonly includeCorrections: boolean
  readonly limit: number | null
  readonly systemPrompt: string
}

export interface ExportResult {
  readonly dataset: Dataset
  /** False: the same dataset was there already and no file was written. */
  readonly created: boolean
}

/** Reading twice fails when data changes in between; so often it is tried before giving up. */
const TRIES = 3

/**
 * Writes a dataset to R2 and notes it. The content is read once to be hashed and, when it is larger than one part, a second
 * time to be uploaded under the key that its hash gives, so any size needs the memory of one page and one part. The same data
 * and settings give the same bytes, the same key and the same dataset.
 * @throws CoordinatorError `conflict` when the data kept changing while it was read
 */
export async function exportDataset(services: Services, settings: ExportSettings): Promise<ExportResult> {
  const selection = selectionOf(settings)
  const filters = filtersOf(settings)
  const settingsHash = (await sha256(stableJson(filters))).slice(0, 16)
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const counts: StreamCounts = { duplicate: 0 }
    const sink = new HashingSink()
    const rows = await pour(services, settings, selection, counts, sink)
    const { sha256: hash, bytes, content } = await sink.finish()
    const key = datasetKey(services, settings, hash, settingsHash)
    const known = await findDatasetByKey(services.database, key)
    if (known && (await services.datasets.head(key))) return { dataset: known, created: false }
    if (content) await services.datasets.put(key, content, uploadOptions(hash))
    else if (!(await uploadInParts(services, settings, selection, key, hash))) continue
    const skipped = { ...(await countSkipped(services.database, selection.filter)), duplicate: counts.duplicate }
    const dataset = await recordDataset(services.database, {
      project: settings.project,
      format: settings.format,
      filters,
      key,
      rows,
      bytes,
      sha256: hash,
      skipped,
      createdAt: services.now(),
    })
    return { dataset, created: known === null }
  }
  throw new CoordinatorError('conflict', 'The interactions kept changing while they were exported.', {
    hint: 'Name `until` as a time in the past, or export again when it is quieter.',
  })
}

interface ByteSink {
  write(chunk: Uint8Array): Promise<void>
}

/** Formats every example into a sink; returns the number of rows. */
async function pour(
  services: Services,
  settings: ExportSettings,
  selection: Selection,
  counts: StreamCounts,
  sink: ByteSink,
): Promise<number> {
  const encoder = new TextEncoder()
  let rows = 0
  for await (const page of examplePages(services.database, selection, counts)) {
    rows += page.length
    const lines = page.map((example) => `${formatExample(settings.format, example, settings.systemPrompt)}\n`)
    await sink.write(encoder.encode(lines.join('')))
  }
  return rows
}

/** Uploads and hashes again; false, and nothing stored, when the content is no longer what was hashed before. */
async function uploadInParts(
  services: Services,
  settings: ExportSettings,
  selection: Selection,
  key: string,
  expected: string,
): Promise<boolean> {
  const upload = await services.datasets.createMultipartUpload(key, uploadOptions(null))
  try {
    const parts = new MultipartSink(upload)
    const hash = new HashingSink()
    const both = {
      write: async (chunk: Uint8Array) => {
        await hash.write(chunk)
        await parts.write(chunk)
      },
    }
    await pour(services, settings, selection, { duplicate: 0 }, both)
    if ((await hash.finish()).sha256 !== expected) {
      await upload.abort()
      return false
    }
    await parts.finish()
    return true
  } catch (error) {
    await upload.abort().catch(() => undefined)
    throw error
  }
}

/** `<prefix>/<project>/<format>-<hash of the bytes>-<hash of the settings>.jsonl` */
function datasetKey(services: Services, settings: ExportSettings, hash: string, settingsHash: string): string {
  const prefix = services.settings.FINETUNE_DATA_PATH.replace(/^\/+|\/+$/g, '')
  const name = `${settings.format}-${hash}-${settingsHash}.jsonl`
  return [prefix, settings.project, name].filter((part) => part !== '').join('/')
}

function uploadOptions(hash: string | null): R2PutOptions & R2MultipartOptions {
  return { httpMetadata: { contentType: 'application/x-ndjson' }, ...(hash !== null && { sha256: hash }) }
}

function selectionOf(settings: ExportSettings): Selection {
  return {
    filter: {
      project: settings.project,
      kind: EXAMPLE_KIND[settings.format],
      outcome: settings.outcome,
      minValueScore: settings.minValueScore,
      agentType: settings.agentType ?? undefined,
      variant: settings.variant ?? undefined,
      tags: settings.tags,
      since: settings.since ?? undefined,
      until: settings.until ?? undefined,
    },
    includeCorrections: settings.includeCorrections || EXAMPLE_KIND[settings.format] === 'pair',
    limit: settings.limit,
  }
}

/** The settings as they are stored and shown: everything that decides what the bytes are. */
function filtersOf(settings: ExportSettings): Record<string, unknown> {
  return {
    format: settings.format,
    outcome: settings.outcome,
    min_value_score: settings.minValueScore,
    since: settings.since,
    until: settings.until,
    agent_type: settings.agentType,
    tags: [...settings.tags].sort(),
    variant: settings.variant,
    include_corrections: settings.includeCorrections,
    limit: settings.limit,
    system_prompt: settings.systemPrompt,
  }
}

/**
 * Creates a dataset: the single implementation behind generate_training_data, POST /learning/export and the nightly
 * cron. It works until the budget of an invocation is used up and continues in the next one. Intermediate results are
 * stored in a workspace in R2.
 * @module
 */
import type { Budget } from '../budget.ts'
import { deletedSince } from '../database/queries/deletions.ts'
import {
  countSkipped,
  type Dataset,
  type Example,
  findDatasetByKey,
  recordDataset,
} from '../database/queries/exports.ts'
import type { JobProgress } from '../database/schema.ts'
import { sha256 } from '../hash.ts'
import type { Services } from '../services.ts'
import { companionKeys, NO_FIGURES, SheetRecorder, type SheetState } from './datasheet.ts'
import { type EarlierRows, earlierRows, flagsOf, NO_EARLIER_ROWS, seriesOf, shortHash } from './earlier.ts'
import {
  ExampleReader,
  FIRST_PLACE,
  noCounts,
  type Place,
  type Selection,
  SIDES,
  type StreamCounts,
  sidesOf,
  withoutSecrets,
} from './examples.ts'
import { FingerprintSet } from './fingerprints.ts'
import { formatExample } from './formats.ts'
import { PromptGroups } from './groups.ts'
import { LINE_BYTES } from './lineage.ts'
import { type ExportSettings, filtersOf, selectionOf } from './settings.ts'
import { concatenated, HashingSink, PART_BYTES } from './sink.ts'
import { UPLOAD_OPTIONS, uploadInParts } from './upload.ts'
import { NO_PIECES, type PieceCounts, Workspace } from './workspace.ts'

/** The result of an export. */
export interface ExportResult {
  readonly dataset: Dataset
  /** False: the same dataset already existed and no file was written. */
  readonly created: boolean
}

/** The settings of an export, and its job. */
export interface ExportTask {
  readonly jobId: string
  readonly settings: ExportSettings
}

/**
 * The position of an export. `split`: grouping prompts; `rows`: writing rows; `store`: all rows are in the workspace.
 */
export interface ExportState {
  readonly phase: 'split' | 'rows' | 'store'
  /** When the first row was read, milliseconds since 1970. */
  readonly startedAt: number
  readonly place: Place
  readonly counts: StreamCounts
  readonly figures: SheetState
  /** Number of the next example in the split. */
  readonly index: number
  readonly bytes: number
  readonly pieces: PieceCounts
}

export interface ExportStep {
  readonly step: 'done' | 'more' | 'not_ready'
  /** The position to continue from; null: the beginning. */
  readonly state: ExportState | null
  readonly progress: JobProgress
  readonly result: ExportResult | null
}

/** Number of characters that are redacted, formatted and hashed in about a millisecond. */
const CHARACTERS_PER_STEP = 10_000

/**
 * Runs the next step of an export: as many pages of rows as the budget allows, then the file, its datasheet and its
 * lineage. The rows are read once. The name of the file is the hash of its bytes, so the same data and settings give
 * the same file and dataset. If a deletion started in the meantime, the export starts again.
 * @param state the state after the previous step; null: this is the first step
 */
export async function exportDataset(
  services: Services,
  task: ExportTask,
  state: ExportState | null,
  budget: Budget,
): Promise<ExportStep> {
  const begun = state ?? begin(task.settings, services.now())
  const workspace = new Workspace(services.datasets, workspacePrefix(services, task), begun.pieces)
  if (await deletedSince(services.database, task.settings.project, begun.startedAt)) {
    await workspace.clear()
    return { step: 'not_ready', state: null, progress: progressOf(begun), result: null }
  }
  const run = new Run(services, task.settings, begun, workspace, budget)
  await run.open()
  return run.advance()
}

function begin(settings: ExportSettings, startedAt: number): ExportState {
  return {
    phase: settings.split === 'all' ? 'rows' : 'split',
    startedAt,
    place: FIRST_PLACE,
    counts: noCounts(),
    figures: NO_FIGURES,
    index: 0,
    bytes: 0,
    pieces: NO_PIECES,
  }
}

function progressOf({ phase, figures, index }: ExportState): JobProgress {
  if (phase === 'split') return { done: index, total: null, unit: 'prompts' }
  return { done: figures.rows, total: phase === 'store' ? figures.rows : null, unit: 'rows' }
}

/** The in-memory state of one step of an export. */
class Run {
  readonly #services: Services
  readonly #settings: ExportSettings
  readonly #selection: Selection
  readonly #workspace: Workspace
  readonly #budget: Budget
  readonly #seen = new FingerprintSet()
  #seenStored = 0
  #earlier: EarlierRows = NO_EARLIER_ROWS
  readonly #encoder = new TextEncoder()
  #state: ExportState
  #rows: Uint8Array[] = []
  #rowBytes = 0
  #lineage: string[] = []

  constructor(services: Services, settings: ExportSettings, state: ExportState, workspace: Workspace, budget: Budget) {
    this.#services = services
    this.#settings = settings
    this.#selection = selectionOf(settings)
    this.#state = state
    this.#workspace = workspace
    this.#budget = budget
  }

  /** Reads the results of earlier steps. */
  async open(): Promise<void> {
    if (this.#state.phase === 'store') return
    for await (const piece of this.#workspace.read('seen')) this.#seen.load(new Uint32Array(piece))
    this.#seenStored = this.#seen.size
    this.#earlier = await earlierRows(this.#services, this.#settings)
    this.#budget.hold(this.#seen.bytes + this.#earlier.here.bytes + this.#earlier.there.bytes)
  }

  async advance(): Promise<ExportStep> {
    if (this.#state.phase === 'split' && !(await this.#split())) return this.#pause()
    if (this.#state.phase === 'rows' && !(await this.#makeRows())) return this.#pause()
    if (this.#state.phase === 'store' && this.#budget.spent) return this.#pause()
    return this.#store()
  }

  /** Groups the prompts, including those of earlier datasets. Returns false if the budget is used up. */
  async #split(): Promise<boolean> {
    const reader = this.#reader({ has: () => false }, noCounts())
    const groups = new PromptGroups()
    for await (const piece of this.#workspace.read('groups')) groups.load(new Uint32Array(piece))
    const stored = groups.size
    this.#budget.hold(groups.bytes)
    while (!this.#budget.spent) {
      const page = await reader.next()
      if (page === null) {
        if (this.#settings.split !== 'all') {
          const sides = sidesOf(groups, this.#settings.split, this.#settings.validationShare)
          await this.#workspace.write('sides', sides)
        }
        // The rows are read from the beginning, so duplicates are detected again.
        for (const piece of ['groups', 'seen'] as const) this.#workspace.restart(piece)
        this.#budget.hold(-groups.bytes)
        this.#state = { ...this.#state, phase: 'rows', place: FIRST_PLACE, index: 0 }
        this.#seen.clear()
        this.#seenStored = 0
        return true
      }
      for (const { id, prompt } of page) {
        groups.add(prompt, id, flagsOf(this.#earlier, id))
        this.#budget.use('steps', 1 + prompt.length / CHARACTERS_PER_STEP)
      }
      this.#state = { ...this.#state, place: reader.place, index: groups.size }
    }
    await this.#workspace.write('groups', groups.since(stored))
    return false
  }

  /** Writes rows. Returns false if the budget is used up. */
  async #makeRows(): Promise<boolean> {
    const counts = { ...this.#state.counts }
    const recorder = new SheetRecorder(this.#state.figures)
    const reader = this.#reader(this.#earlier.here, counts)
    const sides = this.#settings.split === 'all' ? null : await this.#sides()
    const limit = this.#settings.limit ?? Number.POSITIVE_INFINITY
    let { index } = this.#state
    while (!this.#budget.spent) {
      const full = recorder.state.rows >= limit
      const page = full ? null : await reader.next()
      const taken: Example[] = []
      for (const example of page ?? []) {
        const side = SIDES[sides?.[index++] ?? 0] ?? 'taken'
        if (side !== 'taken') counts[side]++
        else if (recorder.state.rows + taken.length < limit) taken.push(withoutSecrets(example, recorder.redacted))
      }
      await recorder.record(taken)
      await this.#keep(taken)
      const { place } = reader
      this.#state = { ...this.#state, place, index, counts: { ...counts }, figures: recorder.state }
      if (page === null) {
        this.#state = { ...this.#state, phase: 'store' }
        return true
      }
    }
    return false
  }

  /** Adds rows in memory, and moves them to the workspace when they fill a part. */
  async #keep(examples: readonly Example[]): Promise<void> {
    const { format, systemPrompt } = this.#settings
    const text = examples.map((example) => `${formatExample(format, example, systemPrompt)}\n`).join('')
    const bytes = this.#encoder.encode(text)
    this.#budget.use('steps', 1 + text.length / CHARACTERS_PER_STEP)
    if (this.#rowBytes + bytes.length > PART_BYTES) await this.#flushRows()
    this.#rows.push(bytes)
    this.#rowBytes += bytes.length
    this.#lineage.push(...examples.map(({ id }) => id))
    this.#budget.hold(bytes.length + examples.length * LINE_BYTES)
    this.#state = { ...this.#state, bytes: this.#state.bytes + bytes.length }
  }

  async #flushRows(): Promise<void> {
    await this.#workspace.write('rows', concatenated(this.#rows, this.#rowBytes))
    this.#budget.hold(-this.#rowBytes)
    this.#rows = []
    this.#rowBytes = 0
  }

  /** Writes the rows in memory to the workspace. */
  async #flush(): Promise<void> {
    await this.#flushRows()
    await this.#workspace.write('lineage', this.#encoder.encode(linesOf(this.#lineage)))
    await this.#workspace.write('seen', this.#seen.since(this.#seenStored))
    this.#lineage = []
  }

  async #pause(): Promise<ExportStep> {
    await this.#flush()
    const state = { ...this.#state, pieces: this.#workspace.counts }
    return { step: 'more', state, progress: progressOf(state), result: null }
  }

  /** Stores the file under its hash, with its datasheet and lineage, and records the dataset. */
  async #store(): Promise<ExportStep> {
    const { database, datasets } = this.#services
    const { project, format } = this.#settings
    const { figures, bytes, counts, startedAt } = this.#state
    // If all rows are still in memory, the workspace is empty.
    const content = this.#workspace.counts.rows === 0 ? concatenated(this.#rows, this.#rowBytes) : null
    if (!content) await this.#flush()
    const hash = content ? await sha256(content) : await this.#hashRows()
    const filters = filtersOf(this.#settings)
    const key = datasetKey(this.#services, this.#settings, hash, await shortHash(filters))
    const done = async (dataset: Dataset, created: boolean): Promise<ExportStep> => {
      await this.#workspace.clear()
      const progress = progressOf({ ...this.#state, phase: 'store' })
      return { step: 'done', state: this.#state, progress, result: { dataset, created } }
    }
    const known = await findDatasetByKey(database, key)
    if (known && (await datasets.head(key))) return done(known, false)
    if (content) await datasets.put(key, content, { ...UPLOAD_OPTIONS, sha256: hash })
    else {
      const stored = await uploadInParts(this.#services, { project, key, expected: hash }, async (sink) => {
        for await (const piece of this.#workspace.read('rows')) await sink.write(new Uint8Array(piece))
      })
      if (!stored) throw new Error('The rows in the workspace changed while they were uploaded.')
    }
    const { thinking_cut: cut, thinking_kept: kept, ...left } = counts
    const skipped = { ...(await countSkipped(database, this.#selection.filter)), ...positive(left) }
    const series = await seriesOf(filters)
    const recorded = new SheetRecorder(figures).figures()
    const sheet = { ...recorded, thinking: { cut, kept }, license: this.#settings.license, series }
    const about = { project, rows: figures.rows, bytes, sha256: hash, filters, skipped }
    const lineage = { key: companionKeys(key).lineage, sha256: await this.#writeLineage(companionKeys(key).lineage) }
    const text = JSON.stringify({ ...sheet, ...about, lineage }, null, 2)
    await datasets.put(companionKeys(key).sheet, `${text}\n`, { httpMetadata: { contentType: 'application/json' } })
    const dataset = await recordDataset(
      database,
      { ...about, format, key, sheet, createdAt: this.#services.now() },
      startedAt,
    )
    if (dataset) return done(dataset, known === null)
    // A deletion has started: rows that were read may be deleted.
    await datasets.delete([key, companionKeys(key).sheet, companionKeys(key).lineage])
    await this.#workspace.clear()
    return { step: 'not_ready', state: null, progress: progressOf(this.#state), result: null }
  }

  async #hashRows(): Promise<string> {
    const sink = new HashingSink()
    for await (const piece of this.#workspace.read('rows')) await sink.write(new Uint8Array(piece))
    return sink.finish()
  }

  /** Writes the ids of the rows, one per line. Returns the hash of the file. */
  async #writeLineage(key: string): Promise<string> {
    const options = { httpMetadata: { contentType: 'text/plain' } }
    const { datasets } = this.#services
    if (this.#workspace.counts.lineage === 0) {
      const lineage = this.#encoder.encode(linesOf(this.#lineage))
      await datasets.put(key, lineage, options)
      return sha256(lineage)
    }
    const pieces: Uint8Array[] = []
    const sink = new HashingSink()
    for await (const piece of this.#workspace.read('lineage')) {
      pieces.push(new Uint8Array(piece))
      await sink.write(new Uint8Array(piece))
    }
    await datasets.put(key, concatenated(pieces, sink.bytes), options)
    return sink.finish()
  }

  #reader(exclude: Pick<FingerprintSet, 'has'>, counts: StreamCounts): ExampleReader {
    return new ExampleReader(this.#services, this.#selection, this.#state.place, this.#seen, exclude, counts)
  }

  async #sides(): Promise<Uint8Array> {
    for await (const piece of this.#workspace.read('sides')) return new Uint8Array(piece)
    return new Uint8Array(0)
  }
}

const linesOf = (ids: readonly string[]) => ids.map((id) => `${id}\n`).join('')

function baseOf(services: Services, project: string): string {
  const prefix = services.settings.FINETUNE_DATA_PATH.replace(/^\/+|\/+$/g, '')
  return [prefix, project].filter((part) => part !== '').join('/')
}

/** `<prefix>/<project>/<format>-<hash of the bytes>-<hash of the settings>.jsonl` */
function datasetKey(services: Services, settings: ExportSettings, hash: string, settingsHash: string): string {
  return `${baseOf(services, settings.project)}/${settings.format}-${hash}-${settingsHash}.jsonl`
}

function workspacePrefix(services: Services, { jobId, settings }: ExportTask): string {
  return `${baseOf(services, settings.project)}/_export-${jobId}/`
}

/** The counters that are not zero. */
export function positive(counts: Partial<StreamCounts>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

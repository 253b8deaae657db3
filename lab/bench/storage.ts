/**
 * `npm run --prefix lab bench:storage`: measures the storage of an interaction and of a knowledge item, before and
 * after archiving, and how many fit.
 * @module
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type BenchItem, packageTexts, questions } from './texts.ts'

const HELP = `Usage: npm run --prefix lab bench:storage -- [options]

Fills a fresh coordinator through its own API: knowledge from the installed packages; then interactions, each augmented, routed,
tracked with an answer and its context, judged and scored. Prints the bytes that each takes, table by table with its indexes as SQLite
counts them, before and after the interactions are archived, and how many fit into what Cloudflare allows.

Options
  --interactions N   default 500
  --items N          knowledge items (default: 5000)
  --json             print one object
  -h, --help         print this
`

const PROJECT = 'bench'
/** Number of concurrent calls, and of documents per call. */
const AT_ONCE = 8
const BATCH = 100
/** Cloudflare's storage limits for one D1 database and one Durable Object, both on the paid plan. */
const LIMITS = { d1: 10e9, durable_object: 10e9 }
// The word table embeds immediately, and its vectors take the same space.
const VARIABLES = { EMBEDDER: 'static', INGEST_ITEMS_PER_DAY: '0', INGEST_BYTES_PER_DAY: '0', ARCHIVE_AFTER_DAYS: '30' }
/** Tables that belong to an interaction: all except those with rows per project or day. */
const PER_INTERACTION = [
  'interactions',
  'interaction_contexts',
  'outcome_events',
  'outcome_votes',
  'retrievals',
  'routing_decisions',
  'jobs',
]

/** The measurements, in bytes. */
export interface StorageReport {
  readonly interactions: number
  readonly items: number
  /** D1 bytes per interaction: by table, and in total. */
  readonly before: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, number>>
  /** R2 bytes per interaction. */
  readonly archived: number
  /** Bytes per item in the storage of a collection's Durable Object. */
  readonly item: number
  readonly history_item: number
  /** Number of interactions or items that fit. */
  readonly fit: { readonly interactions: number; readonly archived_interactions: number; readonly items: number }
}

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      interactions: { type: 'string', default: '500' },
      items: { type: 'string', default: '5000' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const report = await measureStorage(
      wholeNumber(values.interactions, '--interactions'),
      wholeNumber(values.items, '--items'),
    )
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:storage --')
  }
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 10) throw new UsageError(`${option} must be a whole number from 10`)
  return value
}

/** Fills, measures, archives, and measures again. */
async function measureStorage(interactions: number, items: number): Promise<StorageReport> {
  const state = await mkdtemp(join(tmpdir(), 'hybrid-storage-'))
  const started = async <T>(work: (worker: LocalWorker) => Promise<T>): Promise<T> => {
    const worker = await startLocalWorker({ stateFolder: state, variables: VARIABLES })
    try {
      return await work(worker)
    } finally {
      await worker.stop()
    }
  }
  try {
    const texts = await packageTexts(items)
    await started(async ({ url }) => {
      const http = createHttpClient({ url })
      await store(http, texts)
      await interact(http, texts, interactions)
      await settle(http)
    })
    const before = perInteraction(await tableBytes(state, 'd1'), interactions)
    const objects = await objectBytes(state)
    const archived = await started((worker) => archive(worker, interactions))
    const after = perInteraction(await tableBytes(state, 'd1'), interactions)
    // The collections differ greatly in size: knowledge is the larger one, unless there are more interactions than
    // items.
    const [item, historyItem] = [objects.get(items) ?? 0, objects.get(interactions) ?? 0]
    const fit = {
      interactions: Math.floor(LIMITS.d1 / (before.all ?? 1)),
      archived_interactions: Math.floor(LIMITS.d1 / (after.all ?? 1)),
      items: Math.floor(LIMITS.durable_object / item),
    }
    return { interactions, items, before, after, archived, item, history_item: historyItem, fit }
  } finally {
    await rm(state, { recursive: true, force: true })
  }
}

async function store(http: HttpClient, texts: readonly BenchItem[]): Promise<void> {
  const progress = new Progress({ noun: 'items', total: texts.length })
  for (let at = 0; at < texts.length; at += BATCH) {
    const documents = texts
      .slice(at, at + BATCH)
      .map(({ key, fields }) => ({ path: key, hash: key, items: [{ key, fields }] }))
    await http.post('/knowledge/documents', { project: PROJECT, source: 'bench', documents })
    progress.update(at, '')
  }
  progress.finish()
}

/** One agent after another asks, is routed, answers in about 1,400 characters, and reports the outcome. */
async function interact(http: HttpClient, texts: readonly BenchItem[], count: number): Promise<void> {
  const asked = questions(texts, count)
  const progress = new Progress({ noun: 'interactions', total: count })
  let next = 0
  const agent = async () => {
    for (let i = next++; i < count; i = next++) {
      const query = `How do I ${asked[i]} in the service number ${i}?`
      const shown = await http.post<{ retrieval_id: string; contexts: { context_id: string }[] }>('/augment_query', {
        project: PROJECT,
        query,
      })
      const routed = await http.post<{ decision_id?: string | null }>('/route_query', {
        project: PROJECT,
        query,
        limit: 3,
      })
      const answer = [texts[i % texts.length], texts[(i * 7 + 1) % texts.length]].map(
        (item) => item?.fields.code_snippet,
      )
      const tracked = await http.post<{ interaction_id: string }>('/track_interaction', {
        project: PROJECT,
        query,
        response: answer.join('\n'),
        agent_type: i % 2 ? 'local' : 'remote',
        model_used: 'bench',
        tokens_used: 500,
        context_ids: shown.contexts.map(({ context_id }) => context_id),
        retrieval_id: shown.retrieval_id,
        ...(routed.decision_id && { decision_id: routed.decision_id }),
        idempotency_key: `bench-${i}`,
        conversation_id: `bench-${Math.floor(i / 5)}`,
      })
      await http.post('/update_outcome', {
        interaction_id: tracked.interaction_id,
        outcome: i % 4 ? 'success' : 'failure',
        user_feedback: i % 4 ? 1 : -1,
      })
      progress.update(i, '')
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, agent))
  progress.finish()
}

/** Waits until no job is left. */
async function settle(http: HttpClient): Promise<void> {
  for (;;) {
    const { ran } = await http.post<{ ran: number }>('/learning/process', { project: PROJECT, limit: 60 })
    const { queue_depth: left } = await http.get<{ queue_depth: number }>(`/learning/stats?project=${PROJECT}`)
    if (left === 0) return
    if (ran === 0) await sleep(500)
  }
}

/** Makes interactions older and runs the nightly work. Returns R2 bytes per interaction. */
async function archive(worker: LocalWorker, interactions: number): Promise<number> {
  // The third digit of an id represents 795 days.
  const older = (column: string) =>
    `${column} = printf('%03x', instr('0123456789abcdef', substr(${column}, 3, 1)) - 2) || substr(${column}, 4)`
  for (const [table, column] of [
    ['interactions', 'id'],
    ['interaction_contexts', 'interaction_id'],
    ['outcome_events', 'interaction_id'],
    ['outcome_votes', 'interaction_id'],
  ] as const) {
    await worker.query(`UPDATE ${table} SET ${older(column)}`)
  }
  await worker.query(
    `UPDATE jobs SET ${older('subject')} WHERE kind IN ('index_interaction', 'score_interaction', 'learn_pattern')`,
  )
  await worker.query('UPDATE interactions SET updated_at = 0')
  await worker.scheduled('17 3 * * *')
  const http = createHttpClient({ url: worker.url })
  for (;;) {
    await settle(http)
    const [row] = await worker.query('SELECT count(*) AS n FROM interactions WHERE archive_id IS NOT NULL')
    if (row?.n === interactions) break
    await sleep(500)
  }
  const [files] = await worker.query('SELECT sum(bytes) AS bytes FROM archives')
  return Number(files?.bytes) / interactions
}

function perInteraction(bytes: ReadonlyMap<string, number>, interactions: number): Record<string, number> {
  const each = Object.fromEntries(PER_INTERACTION.map((table) => [table, (bytes.get(table) ?? 0) / interactions]))
  return { ...each, all: Object.values(each).reduce((sum, value) => sum + value, 0) }
}

/** All databases in a folder of the state. */
async function databases(state: string, folder: string): Promise<DatabaseSync[]> {
  const files = await readdir(join(state, folder), { recursive: true })
  return files
    .filter((file) => file.endsWith('.sqlite') && !file.endsWith('metadata.sqlite'))
    .map((file) => new DatabaseSync(join(state, folder, file)))
}

/** Bytes of the pages of each table with its indexes, excluding free space within pages. */
async function tableBytes(state: string, folder: string): Promise<Map<string, number>> {
  const bytes = new Map<string, number>()
  for (const database of await databases(state, folder)) {
    const rows = database
      .prepare(
        'SELECT tbl_name AS name, sum(pgsize) AS bytes FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name',
      )
      .all()
    for (const row of rows) bytes.set(String(row.name), (bytes.get(String(row.name)) ?? 0) + Number(row.bytes))
    database.close()
  }
  return bytes
}

/** Bytes per item of each Durable Object with a collection, by its number of items. */
async function objectBytes(state: string): Promise<Map<number, number>> {
  const found = new Map<number, number>()
  for (const database of await databases(state, 'do')) {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'items'").all()
    if (tables.length > 0) {
      const items = Number(database.prepare('SELECT count(*) AS n FROM items').get()?.n)
      const bytes = Number(database.prepare('SELECT sum(pgsize) AS n FROM dbstat').get()?.n)
      if (items > 0) found.set(items, bytes / items)
    }
    database.close()
  }
  return found
}

function format(report: StorageReport): string {
  const number = (value: number) => Math.round(value).toLocaleString('en-US').padStart(16)
  const tables = Object.keys(report.before).map(
    (table) => `  ${table.padEnd(24)}${number(report.before[table] ?? 0)}${number(report.after[table] ?? 0)}`,
  )
  return [
    `${report.interactions} interactions, ${report.items} items; bytes each, with indexes`,
    '',
    `  ${'D1, an interaction'.padEnd(24)}${'in use'.padStart(16)}${'archived'.padStart(16)}`,
    ...tables,
    `  ${'R2, an interaction'.padEnd(24)}${number(0)}${number(report.archived)}`,
    '',
    `  a knowledge item in its Durable Object ${number(report.item)}`,
    `  an interaction in interaction-history  ${number(report.history_item)}`,
    '',
    `  interactions that fit into D1's 10 GB  ${number(report.fit.interactions)}`,
    `  archived ones                          ${number(report.fit.archived_interactions)}`,
    `  items that fit into an object's 10 GB  ${number(report.fit.items)}`,
    '',
  ].join('\n')
}

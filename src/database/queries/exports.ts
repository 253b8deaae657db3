/**
 * Training examples in pages, and the datasets created from them.
 * @module
 */
import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm'
import { leastIdAt, newId } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'
import { exports, interactions, type Outcome } from '../schema.ts'
import { deletionSince } from './deletions.ts'
import { type InteractionFilter, interactionCondition } from './interactions.ts'
import { scheduleDaily } from './jobs.ts'

export type Dataset = typeof exports.$inferSelect

/** The kinds of examples: answers to imitate, pairs of a better and a worse answer, or answers with a verdict. */
export type ExampleKind = 'answer' | 'pair' | 'verdict'

/** One training example, independent of its output format. */
export interface Example {
  /** Id of its interaction or correction. */
  readonly id: string
  readonly prompt: string
  /** The answer to learn from (for `kto`, the answer being judged). */
  readonly answer: string
  /** The worse answer of a pair; null for other kinds. */
  readonly rejected: string | null
  /** Whether the answer was good. Used only for verdicts. */
  readonly good: boolean
  /** Whether it comes from a correction rather than an interaction. */
  readonly correction: boolean
  /** Whether prompt and answer must be read from an archive. */
  readonly archived: boolean
}

export interface ExampleFilter extends Omit<InteractionFilter, 'outcome'> {
  readonly kind: ExampleKind
  /** The required outcome of answers to imitate. */
  readonly outcome: Outcome
  /** Minimum value score; null: any, including none. */
  readonly minValueScore: number | null
}

/** Rows per page, and the text bytes after which a page ends early. */
const PAGE_ROWS = 500
const PAGE_BYTES = 1_000_000

/** Tags of incomplete answers, and their descriptions. */
const PARTIAL_TAGS = {
  incomplete: 'incomplete',
  stopped: 'incomplete',
  length: 'cut_by_length',
  tool_calls: 'tool_calls',
} as const
const hasTag = (tag: string) =>
  sql`EXISTS (SELECT 1 FROM json_each(${arrayIn(sql`interactions.tags`)}) t WHERE t.value = ${tag})`
/** Complete answers have none of these, so the tags of most rows don't have to be checked individually. */
const PARTIAL = sql.join(
  Object.entries(PARTIAL_TAGS).map(([tag, said]) => sql`WHEN tags <> '[]' AND ${hasTag(tag)} THEN ${said}`),
  sql` `,
)
const CORRECTED = sql`EXISTS (SELECT 1 FROM corrections WHERE corrections.interaction_id = interactions.id)`

/**
 * The reason why an interaction isn't an example of this kind; NULL if it is one. The first matching reason counts.
 * Only complete answers are examples. A corrected answer is never a good one: it is left out, or used as a negative
 * verdict.
 */
function reason(filter: ExampleFilter): SQL {
  const score = sql`WHEN value_score < ${filter.minValueScore} THEN 'low_value'`
  if (filter.kind === 'verdict') {
    return sql`CASE ${PARTIAL} WHEN ${CORRECTED} THEN NULL WHEN outcome IS NULL AND coalesce(user_feedback, 0) = 0 THEN 'no_verdict'
      WHEN outcome IS 'partial' AND coalesce(user_feedback, 0) = 0 THEN 'no_verdict'
      WHEN outcome IS 'success' AND user_feedback < 0 THEN 'contradictory'
      WHEN outcome IS 'failure' AND user_feedback > 0 THEN 'contradictory' ${score} END`
  }
  return sql`CASE ${PARTIAL} WHEN outcome IS NULL THEN 'no_outcome' WHEN outcome IS NOT ${filter.outcome} THEN 'other_outcome'
    WHEN user_feedback < 0 THEN 'negative_feedback' WHEN ${CORRECTED} THEN 'corrected'
    WHEN ${filter.minValueScore} IS NOT NULL AND value_score IS NULL THEN 'not_scored_yet' ${score} END`
}

/** Number of interactions within project, time, agent, variant and tags that aren't examples, by reason. */
export async function countSkipped(database: Database, filter: ExampleFilter): Promise<Record<string, number>> {
  if (filter.kind === 'pair') return {}
  const condition = interactionCondition({ ...filter, outcome: undefined })
  const { rows } = await execute(
    database,
    sql`SELECT reason, count(*) AS n FROM (SELECT ${reason(filter)} AS reason FROM interactions WHERE ${condition})
        WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason`,
  )
  return Object.fromEntries(rows.map((row) => [String(row.reason), Number(row.n)]))
}

/** A page of examples from interactions after the given id, ordered by id. Empty: no more. */
export async function interactionExamples(
  database: Database,
  filter: ExampleFilter,
  after: string,
): Promise<Example[]> {
  if (filter.kind === 'pair') return []
  const condition = interactionCondition({ ...filter, outcome: undefined })
  const page = sql`SELECT id, coalesce(archived_bytes, octet_length(query) + octet_length(response)) AS bytes
    FROM interactions WHERE ${condition} AND ${interactions.id} > ${after} AND ${reason(filter)} IS NULL
    ORDER BY id LIMIT ${PAGE_ROWS}`
  const { rows } = await execute(
    database,
    sql`SELECT id, query, response AS answer, NULL AS rejected, iif(${CORRECTED}, -1, coalesce(user_feedback, 0)) AS feedback, outcome, archive_id
        FROM interactions WHERE id IN (${fitting(page)}) ORDER BY id`,
  )
  return rows.map((row) => toExample(row, false))
}

/** A page of examples from corrections after the given id, ordered by id. The correction is the better answer. */
export async function correctionExamples(database: Database, filter: ExampleFilter, after: string): Promise<Example[]> {
  if (filter.kind === 'verdict') return []
  const { agentType, since, until, variant } = filter
  const page = sql`SELECT c.id, octet_length(c.query) + octet_length(c.correction) + coalesce(octet_length(c.original_response), 0) AS bytes
    FROM corrections c LEFT JOIN interactions i ON i.id = c.interaction_id
    WHERE c.project = ${filter.project} AND c.id > ${after}
      AND (${filter.kind} <> 'pair' OR (c.original_response IS NOT NULL AND c.original_response <> c.correction))
      AND (${agentType ?? null} IS NULL OR i.agent_type = ${agentType ?? null})
      AND (${variant ?? null} IS NULL OR c.variant = ${variant ?? null})
      AND (${since ?? null} IS NULL OR c.created_at >= ${since ?? null})
      AND (${until ?? null} IS NULL OR c.created_at < ${until ?? null})
      AND NOT EXISTS (SELECT 1 FROM json_each(${JSON.stringify(filter.tags ?? [])}) wanted
        WHERE wanted.value NOT IN (SELECT value FROM json_each(${arrayIn(sql`c.tags`)})))
    ORDER BY c.id LIMIT ${PAGE_ROWS}`
  const { rows } = await execute(
    database,
    sql`SELECT id, query, correction AS answer, original_response AS rejected, 1 AS feedback, 'success' AS outcome
        FROM corrections WHERE id IN (${fitting(page)}) ORDER BY id`,
  )
  return rows.map((row) => toExample(row, true))
}

/**
 * The ids of a page of `id, bytes` that easily fits in memory; always at least one. Sizes are determined without
 * reading the texts, so texts that don't fit are not read.
 */
function fitting(page: SQL): SQL {
  return sql`SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n, sum(bytes) OVER (ORDER BY id) AS total FROM (${page}))
    WHERE n = 1 OR total <= ${PAGE_BYTES}`
}

function toExample(row: Readonly<Record<string, unknown>>, correction: boolean): Example {
  return {
    id: String(row.id),
    prompt: String(row.query),
    answer: String(row.answer),
    rejected: row.rejected === null ? null : String(row.rejected),
    good: Number(row.feedback) > 0 || (Number(row.feedback) === 0 && row.outcome === 'success'),
    correction,
    archived: !correction && row.archive_id !== null,
  }
}

/**
 * Records a dataset that is stored in R2. Equal keys mean the same dataset: then the existing row is returned.
 * @param startedAt when reading its rows started
 * @returns null, without recording anything, if a deletion that may affect its rows is running or has ended since
 */
export async function recordDataset(
  database: Database,
  entry: Omit<Dataset, 'id'>,
  startedAt: number,
): Promise<Dataset | null> {
  const id = newId()
  await atomically(database, [
    sql`INSERT INTO exports (id, project, format, filters, key, rows, bytes, sha256, sheet, skipped, created_at)
        SELECT ${id}, ${entry.project}, ${entry.format}, ${JSON.stringify(entry.filters)}, ${entry.key}, ${entry.rows},
          ${entry.bytes}, ${entry.sha256}, ${JSON.stringify(entry.sheet)}, ${JSON.stringify(entry.skipped)}, ${entry.createdAt}
        WHERE NOT ${deletionSince(entry.project, startedAt)}
        ON CONFLICT (key) DO NOTHING`,
  ])
  return findDatasetByKey(database, entry.key)
}

/** The dataset with a key in R2; null if it doesn't exist. */
export async function findDatasetByKey(database: Database, key: string): Promise<Dataset | null> {
  const [row] = await database.select().from(exports).where(eq(exports.key, key)).limit(1)
  return row ?? null
}

/** One dataset; null if it doesn't exist or belongs to another project than the only one allowed. */
export async function findDataset(database: Database, id: string, onlyProject: string | null): Promise<Dataset | null> {
  const [row] = await database
    .select()
    .from(exports)
    .where(and(eq(exports.id, id), onlyProject === null ? undefined : eq(exports.project, onlyProject)))
    .limit(1)
  return row ?? null
}

/** The R2 keys among these that belong to no dataset and no unfinished upload of the project. */
export async function unrecordedKeys(database: Database, project: string, keys: readonly string[]): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`SELECT value FROM json_each(${JSON.stringify(keys)})
        WHERE value NOT IN (SELECT key FROM exports WHERE project = ${project})`,
  )
  return rows.map((row) => String(row.value))
}

/** Newest first, after the given id. Reads one row more than `limit`, to detect a next page. */
export function listDatasets(database: Database, project: string, after: string | null, limit: number) {
  return database
    .select()
    .from(exports)
    .where(and(eq(exports.project, project), after === null ? undefined : lt(exports.id, after)))
    .orderBy(desc(exports.id))
    .limit(limit + 1)
}

/** All datasets created with these settings, complete ones and increments. */
export async function datasetsOfSeries(
  database: Database,
  project: string,
  series: string,
): Promise<Pick<Dataset, 'key' | 'rows'>[]> {
  const { rows } = await execute(
    database,
    sql`SELECT key, rows FROM exports WHERE project = ${project} AND sheet ->> 'series' = ${series} ORDER BY id`,
  )
  return rows.map((row) => ({ key: String(row.key), rows: Number(row.rows) }))
}

/**
 * The interactions and corrections among these that would not be exported today, with the reason. `gone`: deleted.
 * @param ids at most a few hundred
 */
export async function withdrawnExamples(
  database: Database,
  filter: ExampleFilter,
  ids: readonly string[],
): Promise<{ id: string; reason: string }[]> {
  const lost = filter.kind === 'pair' ? sql`'gone'` : sql`coalesce(r.reason, 'gone')`
  const judged =
    filter.kind === 'pair'
      ? sql`SELECT NULL AS id, NULL AS reason WHERE 0`
      : sql`
    SELECT id, coalesce(${reason(filter)}, 'kept') AS reason FROM interactions WHERE id IN (SELECT value FROM asked)`
  const { rows } = await execute(
    database,
    sql`WITH asked AS (SELECT value FROM json_each(${JSON.stringify(ids)})), r AS (${judged})
        SELECT asked.value AS id, ${lost} AS reason FROM asked
        LEFT JOIN r ON r.id = asked.value LEFT JOIN corrections c ON c.id = asked.value
        WHERE c.id IS NULL AND r.reason IS NOT 'kept' ORDER BY asked.value`,
  )
  return rows.map((row) => ({ id: String(row.id), reason: String(row.reason) }))
}

/** Deletes the row of a dataset whose file was deleted. */
export async function forgetDataset(database: Database, id: string): Promise<void> {
  await database.delete(exports).where(eq(exports.id, id))
}

/**
 * Writes one export job for each project with a new outcome, rating or correction. The day makes it unique.
 * @param day number of the day (UTC) since 1970
 * @returns ids of this day's pending jobs
 */
export async function scheduleExports(database: Database, since: number, day: number, now: number): Promise<string[]> {
  const [projects] = await atomically(database, [
    sql`SELECT DISTINCT project FROM (
          SELECT project FROM outcome_events WHERE id >= ${leastIdAt(since)} AND created_at >= ${since}
          UNION ALL SELECT project FROM corrections WHERE id >= ${leastIdAt(since)} AND created_at >= ${since}) ORDER BY project`,
  ])
  return scheduleDaily(
    database,
    'export_dataset',
    (projects?.rows ?? []).map(({ project }) => project),
    day,
    now,
  )
}

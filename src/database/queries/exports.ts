/**
 * Training examples in pages, and the datasets that were made of them.
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

export type Dataset = typeof exports.$inferSelect

/** What a format is made of: answers to imitate, pairs of a better and a worse answer, or answers with a verdict. */
export type ExampleKind = 'answer' | 'pair' | 'verdict'

/** One training example before it has a format. */
export interface Example {
  /** Id of the interaction or correction that it comes from. */
  readonly id: string
  readonly prompt: string
  /** The answer to learn from (for `kto`, the answer that is judged). */
  readonly answer: string
  /** The worse answer; only pairs have one. */
  readonly rejected: string | null
  /** Whether the answer was good; only verdicts use it. */
  readonly good: boolean
  /** Whether it comes from a correction rather than an interaction. */
  readonly correction: boolean
  /** Whether prompt and answer are to be read from an archive. */
  readonly archived: boolean
}

export interface ExampleFilter extends Omit<InteractionFilter, 'outcome'> {
  readonly kind: ExampleKind
  /** The outcome that answers to imitate must have. */
  readonly outcome: Outcome
  /** Least value score; null: any, also none. */
  readonly minValueScore: number | null
}

/** Rows read at once, and the bytes of text after which a page ends early. */
const PAGE_ROWS = 500
const PAGE_BYTES = 1_000_000

/** Tags of answers that are no whole answers, and what is said of them. */
const PARTIAL_TAGS = {
  incomplete: 'incomplete',
  stopped: 'incomplete',
  length: 'cut_by_length',
  tool_calls: 'tool_calls',
} as const
const hasTag = (tag: string) =>
  sql`EXISTS (SELECT 1 FROM json_each(${arrayIn(sql`interactions.tags`)}) t WHERE t.value = ${tag})`
/** Answers that are whole have none of these, so the tags of most rows are not looked at one by one. */
const PARTIAL = sql.join(
  Object.entries(PARTIAL_TAGS).map(([tag, said]) => sql`WHEN tags <> '[]' AND ${hasTag(tag)} THEN ${said}`),
  sql` `,
)
const CORRECTED = sql`EXISTS (SELECT 1 FROM corrections WHERE corrections.interaction_id = interactions.id)`

/**
 * Why an interaction isn't an example of this kind; NULL when it is one. The first reason that holds counts. Only whole answers are
 * examples; one that was corrected is never a good one: it is left out, or a verdict against it.
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

/** How many interactions within project, time, agent, variant and tags aren't examples, by reason. */
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

/** A page of examples from interactions in order of id, after the given id. Empty: there are no more. */
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

/** A page of examples from corrections in order of id, after the given id: the correction is the better answer. */
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
 * The ids of a page of `id, bytes` that fit in memory many times over; never less than one. Sizes are told without reading the texts,
 * so a page of long ones doesn't read what it leaves to the next.
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
 * Notes a dataset that lies in R2. The same key is the same dataset: then the row that is there is returned.
 * @param startedAt when its rows began to be read
 * @returns null, and nothing is noted, when a deletion that may have taken some of them runs or has ended since
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

/** The dataset that lies under a key of R2; null when there is none. */
export async function findDatasetByKey(database: Database, key: string): Promise<Dataset | null> {
  const [row] = await database.select().from(exports).where(eq(exports.key, key)).limit(1)
  return row ?? null
}

/** One dataset; null when there is none or when it belongs to another project than the only one allowed. */
export async function findDataset(database: Database, id: string, onlyProject: string | null): Promise<Dataset | null> {
  const [row] = await database
    .select()
    .from(exports)
    .where(and(eq(exports.id, id), onlyProject === null ? undefined : eq(exports.project, onlyProject)))
    .limit(1)
  return row ?? null
}

/** Which of these keys of R2 no dataset, and no unfinished upload, of the project has. */
export async function unrecordedKeys(database: Database, project: string, keys: readonly string[]): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`SELECT value FROM json_each(${JSON.stringify(keys)})
        WHERE value NOT IN (SELECT key FROM exports WHERE project = ${project})`,
  )
  return rows.map((row) => String(row.value))
}

/** Newest first, after the given id; one row more than `limit` tells whether there is a next page. */
export function listDatasets(database: Database, project: string, after: string | null, limit: number) {
  return database
    .select()
    .from(exports)
    .where(and(eq(exports.project, project), after === null ? undefined : lt(exports.id, after)))
    .orderBy(desc(exports.id))
    .limit(limit + 1)
}

/** Datasets that were made with these settings, however often and whether whole or as increments. */
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
 * Which of these interactions and corrections would not be taken today, and why. `gone`: deleted.
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

/** Forgets a dataset whose file is gone. */
export async function forgetDataset(database: Database, id: string): Promise<void> {
  await database.delete(exports).where(eq(exports.id, id))
}

/**
 * Writes one export job for each project with a new outcome, rating or correction; the day makes it unique.
 * @param day number of the day (UTC) since 1970
 * @returns ids of the jobs of this day that wait
 */
export async function scheduleExports(database: Database, since: number, day: number, now: number): Promise<string[]> {
  const [projects] = await atomically(database, [
    sql`SELECT DISTINCT project FROM (
          SELECT project FROM outcome_events WHERE id >= ${leastIdAt(since)} AND created_at >= ${since}
          UNION ALL SELECT project FROM corrections WHERE id >= ${leastIdAt(since)} AND created_at >= ${since}) ORDER BY project`,
  ])
  const entries = JSON.stringify((projects?.rows ?? []).map((row) => [newId(), row.project]))
  const [, waiting] = await atomically(database, [
    sql`INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
        SELECT value ->> 0, value ->> 1, 'export_dataset', value ->> 1, ${day}, 'pending', 0, ${now}, ${now}, ${now}
        FROM json_each(${entries}) WHERE true
        ON CONFLICT (kind, subject, revision) DO NOTHING`,
    sql`SELECT id FROM jobs WHERE kind = 'export_dataset' AND revision = ${day} AND status = 'pending' ORDER BY id`,
  ])
  return (waiting?.rows ?? []).map((row) => String(row.id))
}

/**
 * The documented views that read-only SQL may use. They are common table expressions that are prepended to the
 * statement. They contain only one project and shadow the tables of the same name, so that a name in the statement
 * can't refer to anything else.
 * @module
 */
import { getTableName, isTable } from 'drizzle-orm'
import type { Database } from '../database.ts'
import * as schema from '../schema.ts'

/** One row of EXPLAIN. */
export interface Instruction {
  readonly opcode: string
  readonly p1: number
  readonly p2: number
  readonly p3: number
  readonly p4: string | null
}

/** One row of EXPLAIN QUERY PLAN. */
export interface PlanStep {
  readonly id: number
  readonly parent: number
  readonly detail: string
}

/** SQLite's program and plan for a statement. */
export interface StatementProgram {
  readonly program: readonly Instruction[]
  readonly plan: readonly PlanStep[]
  /** Root pages of the tables and indexes behind the documented views. */
  readonly pages: ReadonlySet<number>
  /** Virtual tables that may be opened, in the notation of the same connection. */
  readonly virtualTables: ReadonlySet<string>
}

/** Columns of each view, in order. Times are milliseconds since 1970; `tags` is a JSON array. */
export const SQL_VIEWS = {
  interactions: [
    'id',
    'query',
    'response',
    'agent_type',
    'model_used',
    'tokens_used',
    'latency_ms',
    'tags',
    'variant',
    'conversation_id',
    'outcome',
    'user_feedback',
    'value_score',
    'created_at',
    'updated_at',
  ],
  outcomes: ['id', 'interaction_id', 'outcome', 'user_feedback', 'created_at'],
  exports: ['id', 'format', 'rows', 'bytes', 'sha256', 'created_at'],
  patterns: [
    'id',
    'skill_name',
    'description',
    'usage_pattern',
    'value_score',
    'successes',
    'partials',
    'failures',
    'created_at',
    'updated_at',
  ],
} as const

export type SqlView = keyof typeof SQL_VIEWS

/** The table behind each view. Patterns come from the knowledge store. */
const TABLES: Partial<Record<SqlView, string>> = {
  interactions: getTableName(schema.interactions),
  outcomes: getTableName(schema.outcomeEvents),
  exports: getTableName(schema.exports),
}

/** The scope of a statement: the project whose rows it can read, and that project's patterns as rows. */
export interface ViewScope {
  readonly project: string
  readonly patterns: readonly Readonly<Record<string, unknown>>[]
}

/** Rows of a statement. Duplicate column names are kept. */
export interface ViewRows {
  readonly columns: string[]
  readonly rows: unknown[][]
}

/**
 * Columns of interactions whose stored value can mean that there is none: an archived answer, or tokens that were not
 * counted.
 */
const UNKNOWN: Readonly<Record<string, string>> = {
  response: 'CASE WHEN archive_id IS NULL THEN response END AS response',
  tokens_used: 'nullif(tokens_used, 0) AS tokens_used',
}

const HEAD = `WITH ${[...viewDefinitions(), ...shadowedTables()].join(', ')} SELECT * FROM (\n`

function viewDefinitions(): string[] {
  return Object.entries(SQL_VIEWS).map(([view, columns]) => {
    const table = TABLES[view as SqlView]
    const read = columns.map((column) => (view === 'interactions' && UNKNOWN[column]) || column)
    const body = table
      ? `SELECT ${read.join(', ')} FROM main.${table} WHERE project = ?1`
      : `SELECT ${columns.map((column) => `value ->> '${column}' AS ${column}`).join(', ')} FROM json_each(?2)`
    return `${view} AS (${body})`
  })
}

/** Every other table gets a definition that fails when a statement uses it. */
function shadowedTables(): string[] {
  return Object.values(schema)
    .filter((value) => isTable(value))
    .map((table) => getTableName(table))
    .filter((name) => !(name in SQL_VIEWS))
    .map((name) => `"${name}" AS (SELECT 1 FROM "${name} is not a documented view")`)
}

function wrapped(
  client: Pick<Database['$client'], 'prepare'>,
  prefix: string,
  statement: string,
  scope: ViewScope,
  limit: number,
) {
  const text = `${prefix}${HEAD}${statement}\n) LIMIT ${limit}`
  return client.prepare(text).bind(scope.project, JSON.stringify(scope.patterns))
}

/**
 * Explains a statement over the views. Does not run the statement.
 * @returns its program, or SQLite's reason for rejecting it
 */
export async function explainStatement(
  database: Database,
  statement: string,
  scope: ViewScope,
  limit: number,
): Promise<StatementProgram | { error: string }> {
  const tables = JSON.stringify(Object.values(TABLES))
  try {
    const [pages, allowed, program, plan] = await database.$client.batch<Record<string, unknown>>([
      database.$client
        .prepare('SELECT rootpage FROM sqlite_master WHERE tbl_name IN (SELECT value FROM json_each(?1))')
        .bind(tables),
      database.$client.prepare("EXPLAIN SELECT a.value, b.value FROM json_each('[]') a, json_tree('[]') b"),
      wrapped(database.$client, 'EXPLAIN ', statement, scope, limit),
      wrapped(database.$client, 'EXPLAIN QUERY PLAN ', statement, scope, limit),
    ])
    const opened = ((allowed?.results ?? []) as unknown as Instruction[]).filter(({ opcode }) => opcode === 'VOpen')
    return {
      pages: new Set((pages?.results ?? []).map((row) => Number(row.rootpage))),
      virtualTables: new Set(opened.map(({ p4 }) => p4 ?? '')),
      program: (program?.results ?? []) as unknown as Instruction[],
      plan: (plan?.results ?? []) as unknown as PlanStep[],
    }
  } catch (error) {
    return { error: reasonOf(error) }
  }
}

/**
 * Runs a checked statement and returns at most `limit` rows. It may read from any replica, so that with read
 * replication the primary stays available for other requests.
 * @returns the rows, or SQLite's reason for stopping
 */
export async function runStatement(
  database: Database,
  statement: string,
  scope: ViewScope,
  limit: number,
): Promise<ViewRows | { error: string }> {
  try {
    const replica = database.$client.withSession('first-unconstrained')
    const [columns = [], ...rows] = await wrapped(replica, '', statement, scope, limit).raw({ columnNames: true })
    return { columns: columns as string[], rows: rows as unknown[][] }
  } catch (error) {
    return { error: reasonOf(error) }
  }
}

/** SQLite's error message, without the statement. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const reason =
    /D1_ERROR:\s*(.*?)(?: at offset \d+)?(?:: SQLITE_\w+.*)?$/s.exec(text)?.[1] ?? 'the database refused it'
  return reason.slice(0, 200)
}

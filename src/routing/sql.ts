/**
 * The sql route: one read-only statement over the documented views, checked before it runs, limited in rows, size and
 * time.
 * @module
 */
import type { Database } from '../database/database.ts'
import { explainStatement, runStatement, SQL_VIEWS, type ViewScope } from '../database/queries/views.ts'
import { CoordinatorError } from '../errors.ts'
import type { KnowledgeStore, StoredItem } from '../knowledge/stores/store.ts'
import { judgeProgram } from './sql-program.ts'
import { isRefused, readSqlText, type SqlVerdict } from './sql-text.ts'

/** Maximum number of rows in an answer. */
export const MAX_ROWS = 100
/** Time limit of a statement, in milliseconds. */
export const MAX_SQL_MS = 5_000
/** Maximum length of a text cell in the answer, in characters. */
export const MAX_CELL = 4_000
/** Maximum number of patterns in the view `patterns`, ordered by id. */
export const MAX_PATTERNS = 1_000

export interface SqlServices {
  readonly database: Database
  readonly knowledge: KnowledgeStore
}

/** A statement that was accepted. It may run several times. */
export interface AcceptedSql {
  readonly statement: string
  /** The documented views that the statement uses. */
  readonly views: string[]
  readonly scope: ViewScope
}

export interface SqlRows {
  readonly columns: string[]
  readonly rows: unknown[][]
  /** Whether rows or parts of cells were left out. */
  readonly truncated: boolean
}

/**
 * Decides whether a text is one statement that SQLite accepts and that reads only the documented views of a project.
 * Does not run the statement.
 */
export async function acceptSql(
  services: SqlServices,
  project: string,
  text: string,
): Promise<AcceptedSql | SqlVerdict> {
  const read = readSqlText(text)
  if (isRefused(read)) return read
  const views = Object.keys(SQL_VIEWS).filter((view) => read.names.has(view))
  const patterns = views.includes('patterns') ? await patternRows(services.knowledge, project) : []
  const scope = { project, patterns }
  const explained = await explainStatement(services.database, read.statement, scope, MAX_ROWS + 1)
  if ('error' in explained) {
    return { refusal: 'invalid', message: `SQLite does not accept the statement: ${explained.error}.` }
  }
  const bounds = { statementLength: read.statement.length, patterns: patterns.length }
  return judgeProgram(explained, bounds) ?? { statement: read.statement, views, scope }
}

/**
 * Whether a statement is running in this isolate. The database runs one query at a time, so statements don't run
 * concurrently.
 */
let running = false

/**
 * Runs an accepted statement, unless another one is running.
 * @returns rows, or the reason why it stopped
 * @throws CoordinatorError `rate_limited` if another statement is running
 */
export async function runSql(services: SqlServices, accepted: AcceptedSql): Promise<SqlRows | SqlVerdict> {
  if (running) {
    throw new CoordinatorError('rate_limited', 'Another SQL statement is running.', {
      hint: 'Try again when it has finished.',
      retryAfter: 1,
    })
  }
  running = true
  try {
    return await runAlone(services, accepted)
  } finally {
    running = false
  }
}

async function runAlone(services: SqlServices, accepted: AcceptedSql): Promise<SqlRows | SqlVerdict> {
  const timeout = Promise.withResolvers<{ error: string }>()
  const timer = setTimeout(() => timeout.resolve({ error: `it took longer than ${MAX_SQL_MS} ms` }), MAX_SQL_MS)
  const found = await Promise.race([
    runStatement(services.database, accepted.statement, accepted.scope, MAX_ROWS + 1),
    timeout.promise,
  ])
  clearTimeout(timer)
  if ('error' in found) return { refusal: 'invalid', message: `The statement could not be completed: ${found.error}.` }
  let truncated = found.rows.length > MAX_ROWS
  const rows = found.rows.slice(0, MAX_ROWS).map((row) =>
    row.map((cell) => {
      if (typeof cell !== 'string' || cell.length <= MAX_CELL) return cell
      truncated = true
      return cell.slice(0, MAX_CELL).toWellFormed()
    }),
  )
  return { columns: found.columns, rows, truncated }
}

async function patternRows(knowledge: KnowledgeStore, project: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = []
  let cursor: string | undefined
  do {
    const page = await knowledge.list(
      { project, collection: 'skills-patterns' },
      { limit: 200, ...(cursor !== undefined && { cursor }) },
    )
    rows.push(...page.entries.map(patternRow))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && rows.length < MAX_PATTERNS)
  return rows.slice(0, MAX_PATTERNS)
}

function patternRow({ id, fields, credit, createdAt, updatedAt }: StoredItem): Record<string, unknown> {
  return {
    id,
    skill_name: fields.skill_name ?? null,
    description: fields.description ?? null,
    usage_pattern: fields.usage_pattern ?? null,
    value_score: fields.value_score ?? null,
    ...credit,
    created_at: createdAt,
    updated_at: updatedAt,
  }
}

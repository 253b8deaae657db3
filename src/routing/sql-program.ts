/**
 * Checks what SQLite would do for a statement: its program (EXPLAIN) and its plan (EXPLAIN QUERY PLAN). Source: SQLite
 * documentation, "The SQLite Bytecode Engine" and "EXPLAIN QUERY PLAN".
 * @module
 */
import type { PlanStep, StatementProgram } from '../database/queries/views.ts'
import type { SqlVerdict } from './sql-text.ts'

/** Instructions that change the database or its settings. A read-only statement has none of them. */
const WRITES = new Set(
  (
    'OpenWrite Destroy Clear CreateBtree ParseSchema LoadAnalysis DropTable DropIndex DropTrigger SetCookie Vacuum IncrVacuum ' +
    'JournalMode Checkpoint VUpdate VCreate VDestroy VRename VBegin AutoCommit Savepoint Program Expire IntegrityCk SqlExec'
  ).split(' '),
)

/** Functions that a statement may call. None of them writes, loads code, or creates large values from small ones. */
const FUNCTIONS = new Set(
  (
    'abs avg ceil ceiling char coalesce concat concat_ws count cume_dist date datetime dense_rank exp first_value floor glob ' +
    'group_concat hex ifnull iif instr json json_array json_array_length json_each json_extract json_group_array ' +
    'json_group_object json_object json_type json_valid julianday lag last_value lead length like likelihood likely ln log ' +
    'log10 log2 lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pow power quote random rank replace ' +
    'round row_number rtrim sign sqrt strftime string_agg substr substring sum time timediff total trim trunc typeof ' +
    'unicode unixepoch unlikely upper -> ->>'
  ).split(' '),
)

/** Virtual tables (json_each and the like) that one statement may open. */
const MAX_VIRTUAL_TABLES = 3

/** Assumed number of rows for a loop over a view, or for a search by an automatic index of SQLite. */
const VIEW_ROWS = 100_000
/**
 * Assumed number of elements of a JSON array in a column that `json_each` reads, such as the tags of an interaction.
 */
const ARRAY_ELEMENTS = 50
/**
 * Maximum number of rows that a statement may visit: the product of its nested loops. SQLite visits about ten million
 * rows per second.
 */
const MAX_ROW_VISITS = 20_000_000

/** Limits of a loop over `json_each`. */
export interface JsonBounds {
  /** Length of the statement: its constants can't have more elements than half of it. */
  readonly statementLength: number
  /** Rows behind the view `patterns`, if the statement names it. */
  readonly patterns: number
}

/**
 * Decides whether a program reads only the documented views, and whether it could take too long, by estimating the rows
 * that its loops visit.
 * @returns null: it may run
 */
export function judgeProgram(judged: StatementProgram, bounds: JsonBounds): SqlVerdict | null {
  if (judged.program[0]?.opcode !== 'Init') {
    return { refusal: 'invalid', message: 'The database did not show its program for the statement.' }
  }
  return (
    judgeInstructions(judged) ??
    judgePlan(judged.plan, Math.max(ARRAY_ELEMENTS, bounds.patterns, bounds.statementLength / 2))
  )
}

function judgeInstructions({ program, pages, virtualTables }: StatementProgram): SqlVerdict | null {
  let opened = 0
  for (const { opcode, p2, p3, p4 } of program) {
    if (WRITES.has(opcode) || (opcode === 'Transaction' && p2 !== 0)) {
      return { refusal: 'writes', message: 'The statement would change the database.' }
    }
    if ((opcode === 'OpenRead' || opcode === 'ReopenIdx') && (p3 !== 0 || !pages.has(p2))) {
      return { refusal: 'outside_views', message: 'The statement reads a table that is not a documented view.' }
    }
    if (opcode === 'VOpen') {
      opened++
      if (!virtualTables.has(p4 ?? '') || opened > MAX_VIRTUAL_TABLES) {
        return { refusal: 'outside_views', message: 'The statement reads a virtual table that is not allowed.' }
      }
    }
    if (/^(Function|PureFunc|Agg)/.test(opcode)) {
      const name = (p4 ?? '').replace(/\(-?\d+\)$/, '').toLowerCase()
      if (name !== '' && !FUNCTIONS.has(name)) {
        return { refusal: 'function', message: `The function ${name.slice(0, 60)} is not allowed.` }
      }
    }
  }
  return null
}

function judgePlan(plan: readonly PlanStep[], jsonRows: number): SqlVerdict | null {
  if (plan.some(({ detail }) => detail.includes('RECURSIVE STEP'))) {
    return { refusal: 'recursive', message: 'Recursive statements are not allowed.' }
  }
  const children = Map.groupBy(plan, ({ parent }) => parent)
  const parents = [0, ...plan.map(({ id }) => id)]
  return parents.every((id) => rowVisits(children, id, jsonRows) <= MAX_ROW_VISITS)
    ? null
    : {
        refusal: 'cartesian',
        message: 'The statement multiplies whole views or arrays with each other; join them by id.',
      }
}

/** Rows that the loops at this level visit, including the correlated subqueries that run for each of them. */
function rowVisits(children: ReadonlyMap<number, readonly PlanStep[]>, id: number, jsonRows: number): number {
  let visits = 1
  let inner = 1
  for (const step of children.get(id) ?? []) {
    visits *= rowsOf(step.detail, jsonRows)
    if (step.detail.startsWith('CORRELATED')) inner = Math.max(inner, rowVisits(children, step.id, jsonRows))
  }
  return visits * inner
}

/** Rows of one loop: 1 for constants and for a search by a unique key. */
function rowsOf(detail: string, jsonRows: number): number {
  if (/^SCAN \d+[- ](CONSTANT )?ROW|^SCAN CONSTANT ROW/.test(detail)) return 1
  if (detail.includes('VIRTUAL TABLE')) return jsonRows
  if (detail.startsWith('SCAN ')) return VIEW_ROWS
  if (!detail.startsWith('SEARCH ')) return 1
  return !detail.includes('AUTOMATIC') && /INTEGER PRIMARY KEY|\b(?:id|interaction_id)=\?|rowid=\?/.test(detail)
    ? 1
    : VIEW_ROWS
}

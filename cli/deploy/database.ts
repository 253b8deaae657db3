/**
 * Reads and replaces the D1 database of a deployed coordinator, through wrangler.
 *
 * Rows are read with queries, not with `wrangler d1 export`: its file turns a `\n` in a text into a line break if the text
 * also has line breaks (github.com/cloudflare/workers-sdk/issues/9042), and D1 refuses to import a row of more than
 * 100 kB of SQL, which it may contain.
 * @module
 */
import { open } from 'node:fs/promises'
import { jsonIn, StepError, type World } from './steps.ts'

/** Values that the tables contain. None has binary columns. */
type Value = string | number | null
type Row = Readonly<Record<string, Value>>

/** A deployed database: how to ask wrangler for it. */
export interface RemoteDatabase {
  readonly world: World
  /** Its name or binding, and the options that locate it. */
  readonly name: string
  readonly options: readonly string[]
}

/** What a database contains, beside its rows. */
export interface DatabaseContent {
  /** Number of rows by table. */
  readonly rows: Readonly<Record<string, number>>
  /** Every project that a row names, and every conversation as [project, id]. */
  readonly projects: readonly string[]
  readonly conversations: readonly (readonly [project: string, id: string])[]
  /** Tables that were written while they were read. */
  readonly changed: readonly string[]
}

/** Rows and characters of one page of a table, and tables that are read by one command. */
const PAGE_ROWS = 2_000
const PAGE_LENGTH = 1_000_000
const AT_ONCE = 10
/** D1 accepts statements of up to 100,000 bytes. */
const STATEMENT = 80_000
/** Bytes of one piece of a text that is too long for a statement. As hexadecimal digits, it has twice as many. */
const PIECE = 30_000

/**
 * Runs statements.
 * @returns the rows of each
 * @throws StepError with wrangler's message
 */
export async function query({ world, name, options }: RemoteDatabase, sql: readonly string[]): Promise<Row[][]> {
  const {
    code,
    output,
    result = output,
  } = await world.wrangler([...['d1', 'execute', name, '--json', '--yes', '--command', sql.join(';\n')], ...options])
  const failed = () => new StepError(`D1 database ${name} failed: wrangler d1 execute\n${output.trim().slice(0, 2000)}`)
  if (code !== 0) throw failed()
  const answers = jsonIn<{ results: Row[] }[]>(result, '[')
  if (answers?.length !== sql.length) throw failed()
  return answers.map(({ results }) => results)
}

/** Writes the whole database to a file of SQL statements. */
export async function saveDatabase(database: RemoteDatabase, file: string): Promise<DatabaseContent> {
  const everything = await schemaOf(database)
  const schema = everything.filter(isOurs)
  const tables = schema.filter(({ type }) => type === 'table').map(({ name }) => name)
  const before = await marksOf(database, tables)
  const filled = tables.filter((table) => before[table] !== EMPTY)
  const found = { rows: new Map<string, number>(), projects: new Set<string>(), conversations: new Set<string>() }
  const out = await open(file, 'w', 0o600)
  try {
    for (const { type, sql } of schema) if (type === 'table') await out.write(`${sql};\n`)
    for await (const { table, page } of pagesOf(database, filled)) {
      found.rows.set(table, (found.rows.get(table) ?? 0) + page.length)
      for (const row of page) note(row, found)
      await out.write(insertions(table, page))
    }
    // After the rows: a trigger would count them twice.
    if (everything.some(({ name }) => name === 'sqlite_sequence')) {
      const [sequences = []] = await query(database, ['SELECT name, seq FROM sqlite_sequence'])
      await out.write('DELETE FROM sqlite_sequence;\n')
      for (const { name = null, seq = null } of sequences)
        await out.write(`INSERT INTO sqlite_sequence (name, seq) VALUES (${literal(name)}, ${literal(seq)});\n`)
    }
    for (const { type, sql } of schema) if (type !== 'table') await out.write(`${sql};\n`)
  } finally {
    await out.close()
  }
  const after = await marksOf(database, tables)
  return {
    rows: Object.fromEntries(tables.map((table) => [table, found.rows.get(table) ?? 0])),
    projects: [...found.projects].sort(),
    conversations: [...found.conversations].sort().map((text) => JSON.parse(text) as [string, string]),
    changed: tables.filter((table) => before[table] !== after[table]),
  }
}

/**
 * The statements that remove everything from a database. Before the statements of a saved one in the same file, D1 runs
 * both or neither.
 */
export async function removal(database: RemoteDatabase): Promise<string> {
  const order = ['trigger', 'view', 'table']
  const schema = (await schemaOf(database)).filter((entry) => isOurs(entry) && order.includes(entry.type))
  const drops = schema
    .sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type))
    .map(({ type, name }) => `DROP ${type.toUpperCase()} IF EXISTS ${quoted(name)};\n`)
  return `PRAGMA defer_foreign_keys=TRUE;\n${drops.join('')}`
}

/** Runs the statements of a file. */
export async function runFile({ world, name, options }: RemoteDatabase, file: string): Promise<void> {
  const { code, output } = await world.wrangler(['d1', 'execute', name, '--yes', '--file', file, ...options])
  if (code !== 0)
    throw new StepError(`D1 database ${name} failed: wrangler d1 execute --file\n${output.trim().slice(-2000)}`)
}

interface SchemaEntry {
  readonly type: string
  readonly name: string
  readonly sql: string
}

/** Tables, indexes, triggers and views in the order of their creation. */
async function schemaOf(database: RemoteDatabase): Promise<SchemaEntry[]> {
  const [entries = []] = await query(database, [
    'SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid',
  ])
  return entries.map(({ type, name, sql }) => ({ type: String(type), name: String(name), sql: String(sql) }))
}

/** Whether an entry belongs to the coordinator, not to SQLite or D1. */
function isOurs({ name }: SchemaEntry): boolean {
  return !/^(?:sqlite_|_cf_)/.test(name)
}

/** The text for a table without rows. */
const EMPTY = '0 0'

/** A text for each table that changes if rows are added or deleted. */
async function marksOf(database: RemoteDatabase, tables: readonly string[]): Promise<Row> {
  const marks = tables.map(
    (table) => `(SELECT count(*) || ' ' || coalesce(max(rowid), 0) FROM ${quoted(table)}) AS ${quoted(table)}`,
  )
  const [[row = {}] = []] = await query(database, [`SELECT ${marks.join(', ')}`])
  return row
}

/** A row of a page: its number in the table, and its values. */
type NumberedRow = Row & { readonly _row: number }

/** All pages of all tables. One command reads a page of each of several tables. */
async function* pagesOf(
  database: RemoteDatabase,
  tables: readonly string[],
): AsyncGenerator<{ table: string; page: NumberedRow[] }> {
  const columns = await columnsOf(database, tables)
  let left = tables.map((table) => ({ table, after: Number.MIN_SAFE_INTEGER }))
  while (left.length > 0) {
    const more: typeof left = []
    for (let at = 0; at < left.length; at += AT_ONCE) {
      const asked = left.slice(at, at + AT_ONCE)
      const pages = await query(
        database,
        asked.map(({ table, after }) => pageQuery(table, columns.get(table) ?? [], after)),
      )
      for (const [i, { table }] of asked.entries()) {
        const page = (pages[i] ?? []) as NumberedRow[]
        const last = page.at(-1)
        if (!last) continue
        yield { table, page }
        // A page that is shorter than a full one is the last.
        const full = page.length === PAGE_ROWS || JSON.stringify(page).length >= PAGE_LENGTH
        if (full) more.push({ table, after: last._row })
      }
    }
    left = more
  }
}

async function columnsOf(database: RemoteDatabase, tables: readonly string[]): Promise<Map<string, string[]>> {
  const statements = tables.map((table) => `PRAGMA table_info(${quoted(table)})`)
  const lists = statements.length > 0 ? await query(database, statements) : []
  return new Map(tables.map((table, i) => [table, (lists[i] ?? []).map(({ name }) => String(name))]))
}

/** The next rows of a table, as many as fit; at least one. */
function pageQuery(table: string, columns: readonly string[], after: number): string {
  const length = columns.map((column) => `coalesce(length(${quoted(column)}), 0)`).join(' + ')
  return `SELECT * FROM (SELECT *, sum(${length}) OVER (ORDER BY _row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS _before
    FROM (SELECT rowid AS _row, * FROM ${quoted(table)} WHERE rowid > ${after} ORDER BY rowid LIMIT ${PAGE_ROWS}))
    WHERE coalesce(_before, 0) < ${PAGE_LENGTH} ORDER BY _row`
}

function note(row: Row, found: { projects: Set<string>; conversations: Set<string> }): void {
  const { project, conversation_id: id } = row
  if (typeof project !== 'string') return
  found.projects.add(project)
  if (typeof id === 'string') found.conversations.add(JSON.stringify([project, id]))
}

/** Statements that insert rows, each within D1's limit. */
function insertions(table: string, page: readonly NumberedRow[]): string {
  const statements: string[] = []
  let [start, tuples, length] = ['', [] as string[], 0]
  const flush = () => {
    if (tuples.length > 0) statements.push(`${start}${tuples.join(',\n')};\n`)
    tuples = []
    length = 0
  }
  for (const { _row: number, _before: _, ...row } of page) {
    const literals = new Map(Object.entries(row).map(([column, value]) => [column, literal(value)]))
    const updates = shortened(table, row, literals, number)
    const tuple = `(${number},${[...literals.values()].join(',')})`
    if (length + tuple.length > STATEMENT) flush()
    start = `INSERT INTO ${quoted(table)} (rowid,${[...literals.keys()].map(quoted).join(',')}) VALUES\n`
    tuples.push(tuple)
    length += tuple.length
    if (updates.length === 0) continue
    flush()
    statements.push(...updates)
  }
  flush()
  return statements.join('')
}

/**
 * Makes a row short enough for a statement: replaces its longest texts with empty ones.
 * @param literals changed in place
 * @returns the statements that append the texts piece by piece
 */
function shortened(table: string, row: Row, literals: Map<string, string>, number: number): string[] {
  const updates: string[] = []
  const length = () => [...literals.values()].reduce((sum, text) => sum + text.length, 0)
  while (length() > STATEMENT) {
    const [column, text] = [...literals].reduce((a, b) => (b[1].length > a[1].length ? b : a))
    const value = row[column]
    if (typeof value !== 'string' || text === "''")
      throw new StepError(`A row of ${table} has too many columns for a statement of D1.`)
    literals.set(column, "''")
    const name = quoted(column)
    for (const piece of piecesOf(value))
      updates.push(`UPDATE ${quoted(table)} SET ${name} = ${name} || ${literal(piece)} WHERE rowid = ${number};\n`)
  }
  return updates
}

/** A text in pieces of whole characters. */
function piecesOf(text: string): string[] {
  const pieces: string[] = []
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(at + PIECE, bytes.length)
    // A byte 10xxxxxx continues a character.
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
    pieces.push(bytes.toString('utf8', at, end))
    at = end
  }
  return pieces
}

/** A value in SQL. Texts with anything but printable ASCII are written as bytes, which no reader of the file changes. */
function literal(value: Value): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') throw new StepError('A table has a binary column, which a backup does not support.')
  if (/^[\x20-\x7e]*$/.test(value)) return `'${value.replaceAll("'", "''")}'`
  return `CAST(X'${Buffer.from(value).toString('hex')}' AS TEXT)`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

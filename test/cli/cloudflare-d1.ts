/** The D1 databases of the stand-in for Cloudflare's HTTP API: real SQLite, with Time Travel. */
import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type ApiAnswer, ApiError, type ApiRequest, listed, notFound } from './cloudflare-answers.ts'

/** Path of uploaded files. They need no token. */
export const UPLOADS = '/uploads/'

export class D1Databases {
  /** Uploaded files of statements by name, the MD5 of their content. */
  readonly uploads = new Map<string, string>()
  readonly #databases = new Map<string, { readonly name: string; sqlite: DatabaseSync }>()
  readonly #folder = mkdtempSync(join(tmpdir(), 'cloudflare-d1-'))

  /** The database of this name; undefined: there is none. */
  named(name: string): DatabaseSync | undefined {
    return [...this.#databases.values()].find((database) => database.name === name)?.sqlite
  }

  get size(): number {
    return this.#databases.size
  }

  has(id: string): boolean {
    return this.#databases.has(id)
  }

  close(): void {
    for (const { sqlite } of this.#databases.values()) sqlite.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Answers a request below `/d1/database`. */
  answer(request: ApiRequest, [id, action, detail]: string[], body: () => Record<string, unknown>): ApiAnswer {
    const view = (uuid: string) => ({ uuid, name: this.#databases.get(uuid)?.name, version: 'production' })
    if (id === undefined) {
      if (request.method === 'GET') return listed([...this.#databases.keys()].map(view), request.query)
      return { result: view(this.#create(String(body().name))) }
    }
    const database = this.#databases.get(id)
    if (!database) throw new ApiError(404, 7404, `The database ${id} could not be found`)
    const file = (name: string) => join(this.#folder, name)
    if (action === undefined) return { result: view(id) }
    if (action === 'query') return { result: run(database.sqlite, String(body().sql)) }
    if (action === 'import') return this.#import(database.sqlite, body(), request)
    if (action === 'time_travel' && detail === 'bookmark') {
      const bookmark = randomUUID()
      database.sqlite.exec(`VACUUM INTO '${file(bookmark)}'`)
      return { result: { bookmark } }
    }
    if (action === 'time_travel' && detail === 'restore') {
      const previous = randomUUID()
      database.sqlite.exec(`VACUUM INTO '${file(previous)}'`)
      database.sqlite.close()
      copyFileSync(file(String(request.query.get('bookmark'))), file(id))
      database.sqlite = new DatabaseSync(file(id))
      return { result: { bookmark: request.query.get('bookmark'), previous_bookmark: previous, message: 'Restored.' } }
    }
    throw notFound(request)
  }

  /** The steps of an import: where to upload the file to, and then that it is to be run. */
  #import(sqlite: DatabaseSync, body: Record<string, unknown>, { origin }: ApiRequest): ApiAnswer {
    const filename = String(body.etag)
    if (body.action === 'init')
      return { result: { success: true, filename, upload_url: `${origin}${UPLOADS}${filename}` } }
    const sql = this.uploads.get(filename)
    if (sql === undefined) throw new ApiError(400, 7500, 'There is no such file')
    run(sqlite, sql)
    const meta = { duration: 1, rows_read: 0, rows_written: 0, size_after: 0 }
    const result = { num_queries: 1, final_bookmark: '1', meta }
    return { result: { success: true, type: 'import', status: 'complete', messages: [], result } }
  }

  #create(name: string): string {
    if (this.named(name)) throw new ApiError(400, 7502, `Database with name '${name}' already exists`)
    const id = randomUUID()
    this.#databases.set(id, { name, sqlite: new DatabaseSync(join(this.#folder, id)) })
    return id
  }
}

/** D1 refuses longer statements. */
const MAX_STATEMENT = 100_000

/** Runs statements in one transaction, as D1 does. Reading ones return rows, each its own. */
function run(sqlite: DatabaseSync, sql: string) {
  const reads = /^\s*(?:SELECT|PRAGMA table_info)\b/i
  const parts = reads.test(sql) ? sql.split(/;\n(?=SELECT|PRAGMA)/) : [sql]
  const meta = { duration: 1, changes: 0, last_row_id: 0, rows_read: 0, rows_written: 0, served_by: 'stand-in' }
  // Triggers have several parts of this kind, which are short.
  const long = sql.split(';\n').find((part) => Buffer.byteLength(part) > MAX_STATEMENT)
  if (long) throw new ApiError(400, 7500, 'statement too long: SQLITE_TOOBIG')
  sqlite.exec('BEGIN')
  try {
    const results = parts.map((part) => {
      if (reads.test(part)) return sqlite.prepare(part).all()
      sqlite.exec(part)
      return []
    })
    sqlite.exec('COMMIT')
    return results.map((rows) => ({ success: true, results: rows, meta }))
  } catch (error) {
    sqlite.exec('ROLLBACK')
    throw new ApiError(400, 7500, `${(error as Error).message}: SQLITE_ERROR`)
  }
}

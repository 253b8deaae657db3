/**
 * Caches vectors of the sentence embedder by text between runs: each text is embedded only once on this machine, for
 * all measurements. The file can be deleted at any time.
 * @module
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EmbedPool } from '../../cli/ingest/embed-pool.ts'
import { MINILM_SPACE } from '../../src/inference/embedding/minilm/model.ts'

/** Path of the cache. Not committed. */
export const VECTOR_CACHE = join(import.meta.dirname, '../.cache/vectors.sqlite')

/** Several processes may write: maximum wait for another, in milliseconds. */
const BUSY_MS = 60_000

/**
 * A pool of embedding threads that looks in its file first. Vectors have the format of `POST /knowledge/vectors`: int8
 * in base64.
 */
export class CachedEmbedPool extends EmbedPool {
  readonly #database: DatabaseSync
  /** Number of texts that had to be embedded. */
  embedded = 0

  constructor(path: string = VECTOR_CACHE, threads?: number) {
    super(threads)
    mkdirSync(dirname(path), { recursive: true })
    this.#database = new DatabaseSync(path)
    this.#database.exec(
      `PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
       CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector TEXT) WITHOUT ROWID`,
    )
  }

  /** Also closes the file. */
  override async close(): Promise<void> {
    await super.close()
    if (this.#database.isOpen) this.#database.close()
  }

  /** @param texts in the format of documentText */
  override async embed(texts: readonly string[]): Promise<(string | null)[]> {
    const keys = texts.map(keyOf)
    const find = this.#database.prepare('SELECT vector FROM vectors WHERE key = ?')
    const found = keys.map((key) => find.get(key) as { vector: string | null } | undefined)
    const missing = [...new Map(texts.flatMap((text, i) => (found[i] ? [] : [[text, keys[i] as Buffer] as const])))]
    const made = new Map<string, string | null>()
    if (missing.length > 0) {
      const vectors = await super.embed(missing.map(([text]) => text))
      const keep = this.#database.prepare('INSERT OR IGNORE INTO vectors VALUES (?, ?)')
      this.#database.exec('BEGIN')
      missing.forEach(([text, key], i) => {
        const vector = vectors[i] ?? null
        made.set(text, vector)
        keep.run(key, vector)
      })
      this.#database.exec('COMMIT')
      this.embedded += missing.length
    }
    return texts.map((text, i) => (found[i] ? found[i].vector : (made.get(text) ?? null)))
  }
}

function keyOf(text: string): Buffer {
  return createHash('sha256').update(`${MINILM_SPACE.name}\0${text}`).digest()
}

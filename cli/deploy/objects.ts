/**
 * Reads and restores what a deployed coordinator holds outside its database: knowledge and conversations through its
 * API, files through wrangler.
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { HttpClient } from '../shared/http.ts'
import { StepError, type World } from './steps.ts'

/** A page of a collection, or a conversation: the input that restores it. */
interface StoredPage {
  readonly what: 'items' | 'documents' | 'conversation'
  readonly project: string
  readonly collection?: string
  readonly conversation_id?: string
  readonly page: readonly string[]
}

interface StoredFile {
  readonly key: string
  readonly bytes: number
  readonly etag: string
  readonly content_type: string | null
}

interface Exported {
  readonly entries: number
  readonly damaged: readonly string[]
  readonly page: string[] | null
  readonly files: readonly StoredFile[]
  readonly next_cursor: string | null
}

/** What was saved or restored, by kind. */
export interface ObjectCounts {
  readonly items: number
  readonly documents: number
  readonly conversations: number
}

/** A deployed bucket: how to ask wrangler for it. */
export interface RemoteBucket {
  readonly world: World
  readonly name: string
  readonly options: readonly string[]
}

/** Largest file that wrangler uploads, in bytes. */
const MAX_UPLOAD = 300 * 1024 * 1024
/** Files that are transferred concurrently, each by a wrangler of its own. */
const TRANSFERS = 3
/** Attempts for one file, and the pause between two. */
const ATTEMPTS = 3
const PAUSE_MS = 2_000

/** Writes every page of every collection, and the conversations, to a file of JSON lines. */
export async function saveObjects(
  client: HttpClient,
  projects: readonly string[],
  conversations: readonly (readonly [project: string, id: string])[],
  file: string,
): Promise<ObjectCounts & { readonly damaged: readonly string[] }> {
  const counts = { items: 0, documents: 0, conversations: 0 }
  const damaged: string[] = []
  const out = await open(file, 'w', 0o600)
  const save = async (subject: Omit<StoredPage, 'page'>): Promise<number> => {
    let entries = 0
    for await (const answer of exported(client, subject)) {
      entries += answer.entries
      damaged.push(...answer.damaged.map((id) => `${subject.project}/${subject.collection}/${id}`))
      if (answer.page) await out.write(lineOf({ ...subject, page: answer.page }))
    }
    return entries
  }
  try {
    for (const project of projects) {
      for (const collection of await collectionsOf(client, project)) {
        counts.items += await save({ what: 'items', project, collection })
        // After the items, because storing an item changes its document.
        counts.documents += await save({ what: 'documents', project, collection })
      }
    }
    for (const [project, id] of conversations)
      counts.conversations += await save({ what: 'conversation', project, conversation_id: id })
  } finally {
    await out.close()
  }
  return { ...counts, damaged }
}

/** Stores every page of a file. A collection is emptied before its first one, so a restore can be repeated. */
export async function restoreObjects(client: HttpClient, file: string): Promise<ObjectCounts> {
  const counts = { items: 0, documents: 0, conversations: 0 }
  let emptied = ''
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    const stored = JSON.parse(line) as StoredPage
    const collection = JSON.stringify([stored.project, stored.collection])
    const clear = stored.collection !== undefined && collection !== emptied
    if (clear) emptied = collection
    const { entries } = await client.post<{ entries: number }>('/state/import', { ...stored, clear })
    counts[stored.what === 'conversation' ? 'conversations' : stored.what] += entries
  }
  return counts
}

/** A value as one line, also for readers that end lines at U+2028 and U+2029. */
function lineOf(value: object): string {
  return `${JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}\n`
}

async function collectionsOf(client: HttpClient, project: string): Promise<string[]> {
  const path = `/collections?project=${encodeURIComponent(project)}`
  return (await client.get<{ collections: { name: string }[] }>(path)).collections.map(({ name }) => name)
}

async function* exported(client: HttpClient, subject: object): AsyncGenerator<Exported> {
  let cursor: string | null = null
  do {
    const answer: Exported = await client.post('/state/export', { ...subject, ...(cursor !== null && { cursor }) })
    yield answer
    cursor = answer.next_cursor
  } while (cursor !== null)
}

/**
 * Downloads every file of the bucket into a folder, and writes their list.
 * @returns the number of files, and the keys of those that wrangler can't upload again
 */
export async function saveFiles(
  client: HttpClient,
  bucket: RemoteBucket,
  folder: string,
): Promise<{ files: number; tooLarge: string[] }> {
  const files: StoredFile[] = []
  for await (const page of exported(client, { what: 'files' })) files.push(...page.files)
  await mkdir(folder, { recursive: true })
  await concurrently(files, async ({ key, bytes }) => {
    const path = join(folder, fileName(key))
    await transfer(bucket, 'get', key, path)
    const { size } = await stat(path)
    if (size !== bytes) throw new StepError(`${key} changed while it was copied. Run the command again.`)
  })
  const out = await open(join(folder, LIST), 'w', 0o600)
  await out.write(files.map(lineOf).join(''))
  await out.close()
  return { files: files.length, tooLarge: tooLargeOf(files) }
}

/**
 * Uploads the files of {@link saveFiles}, over those with the same keys.
 * @returns the number of files, and the keys of those that wrangler can't upload
 */
export async function restoreFiles(
  bucket: RemoteBucket,
  folder: string,
): Promise<{ files: number; tooLarge: string[] }> {
  const files: StoredFile[] = []
  for await (const line of createInterface({ input: createReadStream(join(folder, LIST)) }))
    files.push(JSON.parse(line) as StoredFile)
  const small = files.filter(({ bytes }) => bytes <= MAX_UPLOAD)
  await concurrently(small, ({ key, content_type: type }) =>
    transfer(bucket, 'put', key, join(folder, fileName(key)), type === null ? [] : ['--content-type', type]),
  )
  return { files: small.length, tooLarge: tooLargeOf(files) }
}

function tooLargeOf(files: readonly StoredFile[]): string[] {
  return files.filter(({ bytes }) => bytes > MAX_UPLOAD).map(({ key }) => key)
}

const LIST = 'list.jsonl'

/** Keys contain characters that file names can't. */
function fileName(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

async function transfer(
  { world, name, options }: RemoteBucket,
  verb: 'get' | 'put',
  key: string,
  path: string,
  more: readonly string[] = [],
): Promise<void> {
  const args = ['r2', 'object', verb, `${name}/${key}`, '--file', path, ...more, ...options]
  for (let attempt = 1; ; attempt++) {
    const { code, output } = await world.wrangler(args)
    if (code === 0) return
    if (attempt === ATTEMPTS)
      throw new StepError(`R2 file ${key} failed: wrangler r2 object ${verb}\n${output.trim().slice(-2000)}`)
    await world.pause(PAUSE_MS)
  }
}

/** Runs work for each entry, several at a time. The first failure ends all. */
async function concurrently<T>(entries: readonly T[], work: (entry: T) => Promise<void>): Promise<void> {
  const left = [...entries]
  const worker = async () => {
    for (let entry = left.shift(); entry !== undefined; entry = left.shift()) {
      await work(entry).catch((error: unknown) => {
        left.length = 0
        throw error
      })
    }
  }
  await Promise.all(Array.from({ length: TRANSFERS }, worker))
}

/**
 * One collection of one source during a run: stored, kept, sent and removed documents.
 * @module
 */
import type { HttpClient } from '../shared/http.ts'
import { plural } from '../shared/terminal.ts'
import {
  deleteDocuments,
  deleteItem,
  describeError,
  type KnowledgeDocument,
  type KnowledgeItem,
  type Place,
  putDocuments,
  putItems,
} from './api.ts'
import { createSender, jsonBytes, type Sender } from './batches.ts'
import {
  belongsTo,
  contentOf,
  fileOf,
  type Identity,
  itemIn,
  partPaths,
  partsIn,
  signed,
  withItem,
  withParts,
} from './identity.ts'
import { noteTruncated, type Report } from './report.ts'

/** Limits of one request of documents, with room for the envelope within the body limit of 2 MiB. */
const LIMITS = { parts: 100, items: 400, bytes: 2 * 1024 * 1024 - 16 * 1024 }
const DELETED_AT_ONCE = 1_000

/** A run would overwrite or remove documents of another owner, or too many. `--replace` allows it. */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/** The parts of a run that a target needs. */
export interface TargetRun {
  http: HttpClient
  report: Report
  identity: Identity
  /** Whether to proceed where the run would be refused. */
  replace: boolean
  dryRun: boolean
  /** Called with the files that the coordinator has answered for. */
  settled: (paths: readonly string[]) => void
}

/** A file is counted by its first document. */
const isFile = ({ path }: KnowledgeDocument): boolean => fileOf(path) === path

/** The documents of one location. */
export class Target {
  readonly place: Place
  /** Hashes by path, as stored before the run. */
  readonly stored: ReadonlyMap<string, string>
  /** Paths that exist, whether or not they could be read. */
  readonly kept = new Set<string>()
  private readonly run: TargetRun
  private readonly sender: Sender<KnowledgeDocument>

  constructor(place: Place, stored: ReadonlyMap<string, string>, run: TargetRun) {
    this.place = place
    this.stored = stored
    this.run = run
    this.sender = this.createSender()
  }

  /** Whether a file is stored unchanged, by this folder or without an owner. If so, it is kept. */
  isCurrent(path: string, content: string): boolean {
    const parts = partPaths(path, partsIn(this.stored.get(path) ?? ''))
    const current = parts.every((part) => {
      const hash = this.stored.get(part)
      return hash !== undefined && contentOf(hash) === content && belongsTo(hash, this.run.identity) !== false
    })
    if (current) for (const part of parts) this.kept.add(part)
    return current
  }

  /** Keeps the stored version of a file that could not be read. */
  keep(path: string): void {
    for (const part of partPaths(path, partsIn(this.stored.get(path) ?? ''))) this.kept.add(part)
  }

  /** @throws RefusedError if another folder's documents are stored under this name */
  checkOwner(): void {
    if (this.run.replace) return
    const foreign = [...this.stored.values()].filter((hash) => belongsTo(hash, this.run.identity) === false).length
    if (foreign === 0) return
    throw new RefusedError(
      `source "${this.place.source}" holds ${plural(foreign, 'file')} of another folder`,
      'Give this folder a name of its own with --source, or pass --replace to take the name over and remove those files.',
    )
  }

  /**
   * Checks the number of removals. A missing file is not necessarily deleted: the folder may be another one, not
   * mounted, or partially checked out.
   * @param gone - number of stored paths that don't exist
   * @throws RefusedError if nothing is left, or more than half would be removed
   */
  checkRemoval(gone: number): void {
    if (this.run.replace || gone === 0) return
    const { size } = this.stored
    const what = `${gone} of the ${plural(size, 'file')} stored under "${this.place.source}"`
    const hint = 'Pass --replace if they are really deleted, or name this folder with --source if it is another one.'
    if (gone === size)
      throw new RefusedError(
        `none of the ${plural(size, 'file')} stored under "${this.place.source}" is in this folder: nothing was removed`,
        hint,
      )
    if (gone * 2 > size)
      throw new RefusedError(`this run would remove ${what}, more than half: nothing was removed`, hint)
  }

  /**
   * Sends a file, or counts it in a dry run.
   * @param content - the file's hash
   * @param parts - the items of each of its documents
   */
  async add(path: string, content: string, parts: readonly KnowledgeItem[][]): Promise<void> {
    const { report, identity, dryRun, settled } = this.run
    const paths = partPaths(path, parts.length)
    for (const part of paths) this.kept.add(part)
    report.chunks.total += parts.reduce((sum, items) => sum + items.length, 0)
    if (dryRun) {
      report.files.indexed++
      return settled([path])
    }
    const hash = signed(content, identity)
    for (const [i, items] of parts.entries())
      await this.sender.add({ path: paths[i] ?? path, hash: i === 0 ? withParts(hash, parts.length) : hash, items })
  }

  /**
   * Stores an item under its own key, so that an existing item becomes the file's, and records the file.
   * @param content - the file's hash
   */
  async addKeyed(path: string, content: string, item: KnowledgeItem): Promise<void> {
    const { http, report, dryRun, identity } = this.run
    if (dryRun) return this.add(path, content, [[item]])
    this.kept.add(path)
    report.chunks.total++
    const { results, truncated } = await putItems(http, this.place.project, this.place.collection, [item])
    noteTruncated(report, truncated)
    const [result] = results
    if (!result?.id || result.status === 'rejected') {
      this.reject(path, describeError(result?.error))
      return this.run.settled([path])
    }
    report.chunks[result.status === 'indexed' ? 'added' : result.status]++
    const before = itemIn(this.stored.get(path) ?? '')
    if (before !== undefined && before !== result.id) await deleteItem(http, this.place, before)
    await this.sender.add({ path, hash: withItem(signed(content, identity), result.id), items: [] })
  }

  reject(path: string, reason: string): void {
    this.run.report.files.rejected++
    this.run.report.rejected.push({ at: path, reason })
  }

  flush(): Promise<void> {
    return this.sender.flush()
  }

  /** Stored paths that were not kept. */
  gone(): string[] {
    return [...this.stored.keys()].filter((path) => !this.kept.has(path))
  }

  /** Removes documents and counts them. */
  async remove(paths: readonly string[]): Promise<void> {
    const { report, http, dryRun } = this.run
    if (dryRun) {
      report.files.removed += paths.length
      return
    }
    for (let at = 0; at < paths.length; at += DELETED_AT_ONCE) {
      const some = paths.slice(at, at + DELETED_AT_ONCE)
      for (const path of some) {
        const id = itemIn(this.stored.get(path) ?? '')
        if (id !== undefined) report.chunks.removed += await deleteItem(http, this.place, id)
      }
      const deleted = await deleteDocuments(http, this.place, some)
      report.files.removed += deleted.documents
      report.chunks.removed += deleted.items
    }
  }

  private createSender(): Sender<KnowledgeDocument> {
    const { report, http, settled } = this.run
    return createSender<KnowledgeDocument>({
      limits: LIMITS,
      measure: (document) => ({ items: document.items.length, bytes: jsonBytes(document) }),
      reject: (document, reason) => {
        this.reject(document.path, reason)
        settled([document].filter(isFile).map(({ path }) => path))
      },
      send: async (documents) => {
        const { results, truncated } = await putDocuments(http, this.place, documents)
        noteTruncated(report, truncated)
        const answered = new Map(results.map((result) => [result.path, result]))
        for (const document of documents) {
          const result = answered.get(document.path)
          if (!result) this.reject(document.path, 'the coordinator did not answer for it')
          else if (result.status === 'rejected') this.reject(document.path, describeError(result.error))
          else {
            if (isFile(document)) report.files[result.status]++
            for (const name of ['added', 'updated', 'unchanged', 'removed'] as const)
              report.chunks[name] += result[name] ?? 0
          }
        }
        settled(documents.filter(isFile).map(({ path }) => path))
      },
    })
  }
}

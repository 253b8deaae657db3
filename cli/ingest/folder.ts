/**
 * Ingests a folder: finds its files, compares them by hash, splits and sends changed ones, and removes deleted ones.
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { type HttpClient, UnreachableError } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { count } from '../shared/terminal.ts'
import { listDocuments, type Place } from './api.ts'
import { contentHash } from './content-hash.ts'
import { WorkEstimate } from './estimate.ts'
import { frameworkFinder } from './framework.ts'
import type { Repository } from './git.ts'
import { contentOf, fileOf, type Identity } from './identity.ts'
import { collectionOf, FILE_COLLECTIONS, type ItemCollection, isItemCollection, isMarkdown } from './knowledge-place.ts'
import { languageOf } from './languages.ts'
import type { IngestOptions } from './options.ts'
import { Reader } from './read.ts'
import { noteLeftOut, type Report } from './report.ts'
import type { SkipReason } from './skip-rules.ts'
import { Target } from './target.ts'
import { type FoundFile, walk } from './walk.ts'

/** Output of the progress in a quiet run. */
const SILENT = { write: () => undefined }

/** A run in progress. */
interface Run {
  http: HttpClient
  place: Place
  identity: Promise<Identity>
  repository: Repository | undefined
  options: IngestOptions
  report: Report
  /** True after the first interrupt: no new work is started. */
  stopped: () => boolean
}

async function storedAt(run: Run, place: Place): Promise<Map<string, string>> {
  return listDocuments(run.http, place).catch((error: unknown) => {
    if (!run.options.dryRun || !(error instanceof UnreachableError)) throw error
    const note = `${error.message}: compared with an empty store`
    if (!run.report.notes.includes(note)) run.report.notes.push(note)
    return new Map<string, string>()
  })
}

/** Number of bytes examined to decide whether a file may be text. */
const SNIFFED = 8_192

/** The state of one run, shared by its steps. */
class FolderRun {
  private readonly run: Run
  private progress: Progress | undefined
  private readonly reader = new Reader()
  private readonly frameworkOf: ReturnType<typeof frameworkFinder>
  private readonly targets: ReadonlyMap<string, Target>
  /** Files whose encoding is decided after all others have been read. */
  private readonly unsettled: FoundFile[] = []
  /** Content hashes of files that are not stored under their path, including renamed ones. */
  private readonly fresh = new Set<string>()
  private done = 0
  private readonly work = new WorkEstimate()

  constructor(
    folder: string,
    run: Run,
    identity: Identity,
    places: readonly { place: Place; stored: ReadonlyMap<string, string> }[],
  ) {
    this.run = run
    this.frameworkOf = frameworkFinder(folder)
    const { http, report, options } = run
    const settled = (paths: readonly string[]): void => this.settled(paths)
    const shared = { http, report, identity, replace: options.replace, dryRun: options.dryRun, settled }
    this.targets = new Map(
      places.map(({ place, stored }) => [place.collection, new Target(place, stored, shared)] as const),
    )
  }

  /** The target of a file: the collection of its knowledge folder, or that of the run. */
  private targetOf(path: string): Target {
    const target = this.targets.get(collectionOf(path) ?? '') ?? this.targets.get(this.run.place.collection)
    if (!target) throw new Error('a run has a target')
    return target
  }

  /** Rejects runs that would overwrite or remove another folder's files, before anything is sent. */
  check(files: readonly FoundFile[], unreadable: readonly string[]): void {
    for (const path of unreadable) this.targetOf(path).keep(path)
    const there = new Set([...files.map(({ path }) => path), ...unreadable])
    for (const target of this.targets.values()) {
      target.checkOwner()
      if (this.run.options.include.length > 0) continue
      const gone = [...target.stored.keys()].filter(
        (path) => !there.has(fileOf(path)) || this.targetOf(path) !== target,
      )
      if (gone.length * 2 > target.stored.size) target.checkRemoval(gone.length - this.countMoved(target, gone, files))
    }
  }

  /** Number of missing stored files that exist under another path. */
  private countMoved(target: Target, gone: readonly string[], unread: readonly FoundFile[] = []): number {
    for (const file of unread) {
      if (this.targetOf(file.path).stored.has(file.path)) continue
      const bytes = this.reader.bytes(file)
      if (bytes) this.hashOf(file, bytes)
    }
    return gone.filter((path) => this.fresh.has(contentOf(target.stored.get(path) ?? ''))).length
  }

  private hashOf(file: FoundFile, bytes: Buffer): string {
    const hash = contentHash(bytes, this.frameworkOf(file.path, languageOf(file.path).name))
    if (!this.targetOf(file.path).stored.has(file.path)) this.fresh.add(hash)
    return hash
  }

  /** Reads, compares, splits and sends. @returns false if it was interrupted */
  async send(files: readonly FoundFile[]): Promise<boolean> {
    const changed = files.filter((file) => !this.isUnchanged(file))
    this.progress = new Progress({
      noun: 'files',
      total: changed.length,
      ...(this.run.options.quiet && { stream: SILENT }),
    })
    for (const file of changed) if (!this.run.stopped()) await this.one(file, false)
    for (const file of this.unsettled) if (!this.run.stopped()) await this.one(file, true)
    for (const target of this.targets.values()) await target.flush()
    return !this.run.stopped()
  }

  /** Compares a file with the stored version. A file that must be read is added to the estimate. */
  private isUnchanged(file: FoundFile): boolean {
    const bytes = this.reader.bytes(file)
    if (bytes && this.targetOf(file.path).isCurrent(file.path, this.hashOf(file, bytes))) {
      this.run.report.files.unchanged++
      return true
    }
    this.work.add(file.path, bytes?.subarray(0, SNIFFED).includes(0) ? 0 : file.bytes)
    return false
  }

  private async one(file: FoundFile, settle: boolean): Promise<void> {
    const { run, reader } = this
    const target = this.targetOf(file.path)
    if (isItemCollection(target.place.collection) && !isMarkdown(file.path))
      return this.leaveOut(file.path, 'no Markdown')
    const bytes = reader.bytes(file)
    if (!bytes) {
      target.keep(file.path)
      return this.leaveOut(file.path, 'unreadable')
    }
    const hash = this.hashOf(file, bytes)
    if (target.isCurrent(file.path, hash)) {
      run.report.files.unchanged++
      return this.settled([file.path])
    }
    const content = await reader.content(file, bytes, settle)
    if (content === 'encoding unclear' && !settle) {
      this.unsettled.push(file)
      return
    }
    if (typeof content === 'string') return this.leaveOut(file.path, content)
    if (!run.options.compareOnly && isItemCollection(target.place.collection))
      return this.addItem(target, target.place.collection, file.path, content.text, hash)
    if (run.options.compareOnly) {
      target.keep(file.path)
      run.report.files.indexed++
      return this.settled([file.path])
    }
    const framework = this.frameworkOf(file.path, content.language.name)
    try {
      // The grammars are loaded when the first file must be split: most runs find no changes.
      const { buildDocument } = await import('./document.ts')
      const { parts, cut } = await buildDocument(file.path, content, framework)
      this.work.send(file.path)
      if (content.shortened) run.report.shortened.push(file.path)
      if (cut) run.report.cut_as_text.push({ path: file.path, reason: cut })
      // A failure may be temporary: without its true hash, the file is split again in the next run.
      await target.add(file.path, cut === 'failed' ? `${hash}~` : hash, parts)
      // Lets requests in progress continue between two files.
      await setImmediate()
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      target.keep(file.path)
      target.reject(file.path, error.message)
      this.settled([file.path])
    }
  }

  /** Sends a file that is one knowledge item. */
  private async addItem(
    target: Target,
    collection: ItemCollection,
    path: string,
    text: string,
    hash: string,
  ): Promise<void> {
    const { parseKnowledgeFile } = await import('./knowledge-file.ts')
    const parsed = parseKnowledgeFile(collection, path, text)
    if (typeof parsed === 'string') {
      target.keep(path)
      target.reject(path, parsed)
      return this.settled([path])
    }
    if (parsed.keyed) await target.addKeyed(path, hash, parsed.item)
    else await target.add(path, hash, [[parsed.item]])
  }

  private settled(paths: readonly string[]): void {
    for (const path of paths) this.work.settle(path)
    this.done += paths.length
    this.progress?.update(this.done, `${count(this.run.report.chunks.total)} chunks`, this.work.share)
  }

  private leaveOut(path: string, reason: SkipReason): void {
    this.run.report.files.found--
    noteLeftOut(this.run.report, [{ path, reason }])
    this.work.drop(path)
    this.settled([path])
  }

  /** Removes deleted files. @throws RefusedError if they are more than half */
  async remove(): Promise<void> {
    for (const target of this.targets.values()) {
      const gone = target.gone()
      // By now, renamed files are stored under their new paths.
      const lost = gone.length - this.countMoved(target, gone)
      if (lost * 2 > target.stored.size) target.checkRemoval(lost)
      await target.remove(gone)
    }
  }

  finish(): void {
    this.progress?.finish()
  }
}

/**
 * Ingests a folder and updates the report as answers arrive, so that it is correct whenever the run ends. Files in
 * `.hybrid/<collection>` go to that collection.
 * @param folder - absolute real path
 * @throws HttpError, UnreachableError, RefusedError
 */
export async function ingestFolder(folder: string, run: Run): Promise<void> {
  const { report, options } = run
  const collections = new Set<string>([run.place.collection, ...FILE_COLLECTIONS])
  const [found, identity, ...places] = await Promise.all([
    walk(folder, options, run.repository),
    run.identity,
    ...[...collections].map(async (collection) => {
      const place = { ...run.place, collection }
      return { place, stored: await storedAt(run, place) }
    }),
  ])
  report.files.found = found.files.length
  noteLeftOut(report, found.leftOut)
  const folderRun = new FolderRun(folder, run, identity, places)
  folderRun.check(found.files, found.unreadable)
  try {
    const whole = await folderRun.send(found.files)
    if (whole && options.include.length === 0) {
      if (found.complete) await folderRun.remove()
      else report.notes.push('a directory could not be read, so nothing was removed')
    }
  } finally {
    folderRun.finish()
    report.left_out.sort((a, b) => (a.path < b.path ? -1 : 1))
  }
  report.interrupted = run.stopped()
}

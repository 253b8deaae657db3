/**
 * Ingests a folder: walk, compare by hash, cut what changed, send it, remove what is gone.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { type HttpClient, UnreachableError } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { count, plural } from '../shared/terminal.ts'
import {
  deleteDocuments,
  describeError,
  type KnowledgeDocument,
  listDocuments,
  type Place,
  putDocuments,
} from './api.ts'
import { createSender, jsonBytes } from './batches.ts'
import { buildDocument, documentHash } from './document.ts'
import { frameworkFinder } from './framework.ts'
import { languageOf } from './languages.ts'
import type { IngestOptions } from './options.ts'
import type { Report } from './report.ts'
import { decodeText, type SkipReason, skipByText } from './skip-rules.ts'
import { type FoundFile, type Walk, walk } from './walk.ts'

/** Limits of one request of documents, with room for the envelope in the 2 MiB of the body. */
const LIMITS = { parts: 100, items: 400, bytes: 2 * 1024 * 1024 - 16 * 1024 }
const DELETED_AT_ONCE = 1_000

/** Another folder's files are stored under this name. */
export class ForeignSourceError extends Error {
  override name = 'ForeignSourceError'
}

/** A run in progress. */
interface Run {
  http: HttpClient
  place: Place
  options: IngestOptions
  report: Report
  /** Set at the first interrupt: nothing new is begun. */
  stopped: () => boolean
}

/** Reads a file and decides: its text and hash, or why it is left out. */
async function readOne(
  file: FoundFile,
  framework: string | undefined,
): Promise<SkipReason | { text: string; hash: string }> {
  const bytes = await readFile(file.absolute).catch(() => undefined)
  if (!bytes) return 'unreadable'
  const text = decodeText(bytes)
  if (text === undefined) return 'binary'
  return skipByText(text, languageOf(file.path)) ?? { text, hash: documentHash(bytes, framework) }
}

/** Guards against two folders of one name, each run deleting what the other stored. */
function checkSource(stored: ReadonlyMap<string, string>, found: Walk, run: Run): void {
  if (stored.size === 0 || run.options.replace || run.options.include.length > 0) return
  if (found.files.length === 0 || found.files.some((file) => stored.has(file.path))) return
  throw new ForeignSourceError(
    `source "${run.place.source}" holds ${plural(stored.size, 'file')}, none of which is in this folder: it belongs to another one`,
  )
}

async function removeGone(stored: ReadonlyMap<string, string>, kept: ReadonlySet<string>, run: Run): Promise<void> {
  const gone = [...stored.keys()].filter((path) => !kept.has(path))
  if (gone.length === 0) return
  if (run.options.dryRun) {
    run.report.files.removed = gone.length
    return
  }
  for (let at = 0; at < gone.length; at += DELETED_AT_ONCE) {
    const deleted = await deleteDocuments(run.http, run.place, gone.slice(at, at + DELETED_AT_ONCE))
    run.report.files.removed += deleted.documents
    run.report.chunks.removed += deleted.items
  }
}

/** Sends documents and counts what became of each. */
function documentSender(run: Run, settled: (documents: number) => void) {
  const { report } = run
  const reject = (path: string, reason: string): void => {
    report.files.rejected++
    report.rejected.push({ at: path, reason })
  }
  return {
    reject,
    ...createSender<KnowledgeDocument>({
      limits: LIMITS,
      measure: (document) => ({ items: document.items.length, bytes: jsonBytes(document) }),
      reject: (document, reason) => {
        reject(document.path, reason)
        settled(1)
      },
      send: async (documents) => {
        const results = await putDocuments(run.http, run.place, documents)
        const answered = new Map(results.map((result) => [result.path, result]))
        for (const document of documents) {
          const result = answered.get(document.path)
          if (!result) reject(document.path, 'the coordinator did not answer for it')
          else if (result.status === 'rejected') reject(document.path, describeError(result.error))
          else {
            if (result.status === 'unchanged') report.files.unchanged++
            else report.files.indexed++
            report.chunks.added += result.added ?? 0
            report.chunks.updated += result.updated ?? 0
            report.chunks.unchanged += result.unchanged ?? 0
            report.chunks.removed += result.removed ?? 0
          }
        }
        settled(documents.length)
      },
    }),
  }
}

/**
 * Ingests a folder and fills in the report as answers arrive, so that it is true whenever the run ends.
 * @param folder - absolute real path
 * @throws HttpError, UnreachableError, ForeignSourceError
 */
export async function ingestFolder(folder: string, run: Run): Promise<void> {
  const { report, options } = run
  const stored = await listDocuments(run.http, run.place).catch((error: unknown) => {
    if (!options.dryRun || !(error instanceof UnreachableError)) throw error
    report.notes.push(`${error.message}: compared with an empty store`)
    return new Map<string, string>()
  })
  const found = await walk(folder, options)
  report.files.found = found.files.length
  for (const [reason, number] of found.skipped) report.files.skipped[reason] = number
  checkSource(stored, found, run)

  const progress = new Progress({ noun: 'files', total: found.files.length })
  let done = 0
  const settled = (documents: number): void => {
    done += documents
    progress.update(done, `${count(report.chunks.total)} chunks`)
  }
  const sender = documentSender(run, settled)
  const frameworkOf = frameworkFinder(folder)
  const kept = new Set<string>(found.unreadable)
  let whole = found.complete
  try {
    for (const file of found.files) {
      if (run.stopped()) {
        whole = false
        break
      }
      const language = languageOf(file.path)
      const framework = frameworkOf(file.path, language.name)
      const content = await readOne(file, framework)
      if (typeof content === 'string') {
        report.files.skipped[content] = (report.files.skipped[content] ?? 0) + 1
        report.files.found--
        if (content === 'unreadable') kept.add(file.path)
        settled(1)
        continue
      }
      kept.add(file.path)
      if (stored.get(file.path) === content.hash) {
        report.files.unchanged++
        settled(1)
        continue
      }
      try {
        const document = await buildDocument(file.path, content.text, content.hash, language, framework)
        report.chunks.total += document.items.length
        if (options.dryRun) {
          report.files.indexed++
          settled(1)
        } else await sender.add(document)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        sender.reject(file.path, error.message)
        settled(1)
      }
    }
    await sender.flush()
    if (whole && !run.stopped() && options.include.length === 0) await removeGone(stored, kept, run)
    else if (!whole && !run.stopped()) report.notes.push('a directory could not be read, so nothing was removed')
  } finally {
    progress.finish()
  }
  report.interrupted = run.stopped()
}

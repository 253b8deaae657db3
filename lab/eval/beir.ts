/**
 * Data sets in BEIR's layout, and their import into a coordinator.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { embedAll, type HttpClient } from '../../cli/harness.ts'
import { UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { pathGiven } from '../paths.ts'
import { CachedEmbedPool } from '../vectors/vector-cache.ts'
import type { Judgements } from './metrics.ts'

export interface BeirDocument {
  readonly _id: string
  readonly title?: string
  readonly text: string
}

export interface BeirSet {
  readonly name: string
  /** The collection of its documents. */
  readonly collection: 'best-practices' | 'interaction-history'
  readonly documents: readonly BeirDocument[]
  /** Queries that have at least one judgement. */
  readonly queries: readonly { id: string; text: string; judgements: Judgements }[]
}

/** Number of items per request. */
const BATCH = 200
/** Maximum length of an item's text field, in characters. */
const LONGEST = 32_000

/**
 * Reads `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` of a folder given on the command line.
 * @throws UsageError naming the missing or malformed file
 */
export async function readBeir(given: string): Promise<BeirSet> {
  const folder = pathGiven(given)
  const documents = await readLines<BeirDocument>(join(folder, 'corpus.jsonl'))
  const texts = await readLines<{ _id: string; text: string }>(join(folder, 'queries.jsonl'))
  const judgements = new Map<string, Map<string, number>>()
  const lines = (await readText(join(folder, 'qrels/test.tsv'))).split('\n').slice(1)
  for (const line of lines) {
    const [query, document, grade] = line.trim().split('\t')
    if (!query || !document) continue
    const known = judgements.get(query) ?? new Map<string, number>()
    judgements.set(query, known.set(document, Number(grade)))
  }
  const queries = texts.flatMap(({ _id, text }) => {
    const judged = judgements.get(_id)
    return judged && text.trim() !== '' ? [{ id: _id, text, judgements: judged }] : []
  })
  const collection = areTurns(documents) ? 'interaction-history' : 'best-practices'
  return { name: basename(folder), collection, documents, queries }
}

/**
 * A smaller set: the first queries, their judged documents, and other random documents, always the same ones. Figures
 * of different sizes are not comparable.
 */
export function cut(set: BeirSet, queries: number, documents: number): BeirSet {
  const kept = set.queries.slice(0, queries)
  if (set.documents.length <= documents) return { ...set, queries: kept }
  const judged = new Set(kept.flatMap(({ judgements }) => [...judgements.keys()]))
  const random = seeded(20_261_130)
  const order = set.documents
    .map((document) => ({ document, place: judged.has(document._id) ? -1 : random() }))
    .sort((a, b) => a.place - b.place)
  const chosen = order.slice(0, Math.max(documents, judged.size)).map(({ document }) => document)
  return { ...set, queries: kept, documents: chosen }
}

/** `<conversation>:<turn>`, the usual numbering of turns in conversation data sets. */
const TURN_ID = /^(.+)[:#/_-](\d+)$/
/** With fewer conversations, or fewer turns per conversation on average, it is not a set of conversations. */
const FEWEST = 5

/** Whether every id is a conversation and a turn, and the turns of each conversation are numbered without many gaps. */
function areTurns(documents: readonly BeirDocument[]): boolean {
  const turns = new Map<string, number[]>()
  for (const { _id } of documents) {
    const [, conversation, turn] = TURN_ID.exec(_id) ?? []
    if (conversation === undefined) return false
    const known = turns.get(conversation)
    if (known) known.push(Number(turn))
    else turns.set(conversation, [Number(turn)])
  }
  const span = [...turns.values()].reduce((sum, numbers) => sum + Math.max(...numbers) - Math.min(...numbers) + 1, 0)
  return turns.size >= FEWEST && documents.length >= FEWEST * turns.size && documents.length >= 0.8 * span
}

interface StoredDocument {
  readonly key: string
  readonly fields: Record<string, unknown>
}

/** Stores a set's documents through the public API, with their ids as keys. Skips empty documents. */
export async function storeCorpus(http: HttpClient, project: string, set: BeirSet): Promise<number> {
  const items = set.documents.flatMap(({ _id, title, text }): StoredDocument[] => {
    const body = clean(text.trim() === '' ? (title ?? '') : text).slice(0, LONGEST)
    if (body.trim() === '') return []
    if (set.collection === 'interaction-history') {
      const [, conversation_id, turn] = TURN_ID.exec(_id) ?? []
      return [{ key: _id, fields: { query: body, conversation_id, turn: Number(turn) } }]
    }
    const heading = title && title.trim() !== '' && text.trim() !== '' ? { title: clean(title).slice(0, 1000) } : {}
    return [{ key: _id, fields: { ...heading, description: body } }]
  })
  const progress = new Progress({ noun: `documents of ${set.name}`, total: items.length })
  for (let start = 0; start < items.length; start += BATCH) {
    const batch = items.slice(start, start + BATCH)
    const { totals } = await http.post<{ totals: { rejected: number } }>('/knowledge/items', {
      project,
      collection: set.collection,
      items: batch,
    })
    if (totals.rejected > 0) throw new Error(`${totals.rejected} documents of ${set.name} were rejected.`)
    progress.update(start + batch.length, '')
  }
  progress.finish()
  // Vectors are computed after the text is stored; a measurement waits for them.
  await embedAll(http, project, set.collection, items.length, new CachedEmbedPool())
  await waitForVectors(http, project, set.collection)
  return items.length
}

/** Gives up on an embedder that computes no vector for this long, in milliseconds. */
const STALLED_MS = 300_000
const LOOK_MS = 500

/**
 * Waits until every item of a collection has been embedded.
 * @throws Error if no vector is computed for five minutes
 */
export async function waitForVectors(http: HttpClient, project: string, collection: string): Promise<void> {
  let least = Number.POSITIVE_INFINITY
  let progressed = performance.now()
  let progress: Progress | null = null
  while (true) {
    const { collections } = await http.get<{ collections: { name: string; items: number; pending_vectors: number }[] }>(
      `/collections?project=${encodeURIComponent(project)}`,
    )
    const { pending_vectors: pending, items } = collections.find(({ name }) => name === collection) ?? {
      pending_vectors: 0,
      items: 0,
    }
    if (pending === 0) break
    if (pending < least) [least, progressed] = [pending, performance.now()]
    if (performance.now() - progressed > STALLED_MS) {
      throw new Error(`${pending} items still wait for vectors, and none came for ${STALLED_MS / 60_000} minutes.`)
    }
    progress ??= new Progress({ noun: 'vectors', total: items })
    progress.update(items - pending, '')
    await sleep(LOOK_MS)
  }
  progress?.finish()
}

/** Removes characters that are not allowed in inputs. */
export function clean(text: string): string {
  return text.replaceAll('\0', ' ').toWellFormed()
}

/** Parses JSON Lines. */
export async function readLines<T>(path: string): Promise<T[]> {
  const lines = (await readText(path)).split('\n')
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return []
    try {
      return [JSON.parse(line) as T]
    } catch {
      throw new UsageError(`${path}, line ${i + 1}: not JSON`)
    }
  })
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${path}: ${error.code === 'ENOENT' ? 'the data set has no such file' : error.message}`)
  })
}

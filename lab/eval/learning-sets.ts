/**
 * Question sets for measuring learning: the questions, the helpful items, and the items of the collection.
 * @module
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../cli/shared/args.ts'
import type { CollectionName } from '../../src/knowledge/collections.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { pathGiven } from '../paths.ts'
import { itemsOf } from '../training/code-ranking/items.ts'
import { clean, readBeir } from './beir.ts'
import { readCodeSet } from './code-data.ts'
import { answers, measureCode } from './code-measures.ts'
import { historyOf } from './history.ts'
import type { MemoryItem } from './memory-store.ts'
import { ndcg } from './metrics.ts'

/** A question of a set. */
export interface Question {
  readonly text: string
  /** Files that answer it; empty if items are not files. */
  readonly files: readonly string[]
  helps(item: StoredItem): boolean
  /** nDCG@10 of a list. */
  measure(items: readonly StoredItem[]): number
}

/** A set of questions about one collection. */
export interface LearningSet {
  readonly name: string
  readonly collection: CollectionName
  readonly items: readonly MemoryItem[]
  readonly questions: readonly Question[]
  /** Whether questions are in time order. */
  readonly ordered: boolean
}

/** Whether a folder contains a BEIR data set. */
export function isBeir(folder: string): Promise<boolean> {
  return access(join(folder, 'corpus.jsonl')).then(
    () => true,
    () => false,
  )
}

/** A BEIR data set. */
export async function beirSet(folder: string): Promise<LearningSet> {
  const { name, collection, documents, queries } = await readBeir(folder)
  const items = documents.flatMap(({ _id, title, text }): MemoryItem[] => {
    const body = clean(text.trim() === '' ? (title ?? '') : text)
    const heading = title && title.trim() !== '' && text.trim() !== '' ? { title: clean(title) } : {}
    return body.trim() === '' ? [] : [{ key: _id, fields: { ...heading, description: body }, path: null }]
  })
  const questions = queries.map(
    ({ text, judgements }): Question => ({
      text: clean(text),
      files: [],
      helps: ({ key }) => (judgements.get(key) ?? 0) > 0,
      measure: (list) =>
        ndcg(
          list.slice(0, 10).map(({ key }) => key),
          judgements,
          10,
        ),
    }),
  )
  return { name, collection, items, questions, ordered: false }
}

/** The repositories of a set of code questions, with the questions of their history. */
export async function* codeSets(
  folder: string,
  sources: string | undefined,
  only?: readonly string[],
  mirrors?: string,
): AsyncGenerator<LearningSet> {
  if (!sources) throw new UsageError('name the sources of the set: --sources <folder>')
  const { repositories } = await readCodeSet(folder)
  for (const repository of repositories.filter(({ name }) => !only || only.includes(name))) {
    const { name } = repository
    const pieceOf = ({ fields: { file_path, start_line, end_line } }: StoredItem) => ({
      path: String(file_path ?? ''),
      start: Number(start_line ?? 0),
      end: Number(end_line ?? Number.MAX_SAFE_INTEGER),
    })
    const items = (await itemsOf(join(pathGiven(sources), name))).map(
      ({ fields }, i): MemoryItem => ({ key: String(i), fields, path: String(fields.file_path ?? '') }),
    )
    const history = historyOf(repository, mirrors && pathGiven(mirrors)).map(
      ({ text, targets }): Question => ({
        text: clean(text),
        files: targets.map(({ path }) => path),
        helps: (item) => targets.some((target) => answers(pieceOf(item), target)),
        measure: (list) => measureCode(list.map(pieceOf), targets).ndcg_files,
      }),
    )
    yield { name, collection: 'codebase-context', items, questions: history, ordered: true }
  }
}

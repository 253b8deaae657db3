/**
 * Collects what the ranking of code learns from: for every question of the sets, its candidates with the product's own features.
 *
 *     node collect.ts OUTPUT.json UNANSWERABLE.jsonl SOURCES SET [SET …]
 *
 * SOURCES holds one folder a set, named as the set's folder, with one folder a repository. Vectors are the word table's.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { HttpClient } from '../../../cli/harness.ts'
import { ingestFolder } from '../../../cli/ingest/folder.ts'
import { identityOf } from '../../../cli/ingest/identity.ts'
import { parseOptions } from '../../../cli/ingest/options.ts'
import { createReport } from '../../../cli/ingest/report.ts'
import { createStaticEmbedder } from '../../../src/inference/embedding/static/embedder.ts'
import { indexedText } from '../../../src/knowledge/prepare.ts'
import { preselect } from '../../../src/knowledge/stores/preselect.ts'
import { TermIndex } from '../../../src/knowledge/stores/term-index.ts'
import { UNRELATED_QUESTIONS } from '../../../src/knowledge/unrelated-questions.ts'
import { CODE_FEATURES, codeFeatures } from '../../../src/ranking/code/features.ts'
import { readQuestion } from '../../../src/ranking/code/question.ts'
import { FILE_KINDS } from '../../../src/text/file-kind.ts'
import { collectionTerms, documentColumns } from '../../../src/text/index-terms.ts'
import { planKeywordSearch } from '../../../src/text/keyword-plan.ts'
import { analyseQuery } from '../../../src/text/query-analysis.ts'
import { hashTerm, termList } from '../../../src/text/term-list.ts'
import { type CodeQuestion, readCodeSet } from '../../eval/code-data.ts'
import { answers, isCode } from '../../eval/code-measures.ts'

/** Candidates of each list, and the best so many of each list and of both that the ranking sees. */
const DEPTH = 100
const LIMIT = 50

interface Item {
  readonly fields: Readonly<Record<string, unknown>>
  readonly title: string
  readonly body: string
}

const [output = '', unanswerable = '', sources = '', ...sets] = process.argv.slice(2)
const table = readFileSync(join(import.meta.dirname, '../../../src/inference/embedding/static/table.bin'))
const embedder = createStaticEmbedder(table.buffer.slice(table.byteOffset, table.byteOffset + table.byteLength))
const unrelated = await vectorsOf(UNRELATED_QUESTIONS)
const collected: object[] = []
for (const folder of sets) {
  const set = await readCodeSet(folder, unanswerable)
  for (const repository of set.repositories) {
    const search = await indexOf(await itemsOf(join(sources, basename(folder), repository.name)))
    const foreign = set.unanswerable.map(({ id, kind, text }) => ({ id, kind: `none:${kind}`, text, targets: [] }))
    for (const question of [...repository.questions, ...foreign]) {
      collected.push({ set: basename(folder), repository: repository.name, ...(await search(question)) })
    }
    process.stderr.write(`${repository.name}: ${collected.length} questions\n`)
  }
}
writeFileSync(output, JSON.stringify({ features: CODE_FEATURES, questions: collected }))

async function vectorsOf(texts: readonly string[]): Promise<(Float32Array | null)[]> {
  return (await embedder.embed(texts, 'document')).map(({ vector }) => vector)
}

/** The items that the product's ingestion makes of a folder. */
async function itemsOf(folder: string): Promise<Item[]> {
  const items: Item[] = []
  const post = (_: string, body: unknown) => {
    const { documents } = body as { documents: { path: string; items: { fields: Record<string, unknown> }[] }[] }
    for (const { fields } of documents.flatMap((document) => document.items))
      items.push({ fields, ...indexedText('codebase-context', fields) })
    return { results: documents.map(({ path, items: added }) => ({ path, status: 'indexed', added: added.length })) }
  }
  const http = {
    get: async () => ({ documents: [], next_cursor: null }),
    post: async (path: string, body: unknown) => post(path, body),
  }
  const options = parseOptions([folder], {})
  if (!options) throw new Error('The options of ingestion were not understood.')
  const place = { project: 'train', collection: 'codebase-context', source: folder }
  const report = createReport({ ...place, kind: 'folder', input: folder, dry_run: false })
  await ingestFolder(folder, {
    http: http as unknown as HttpClient,
    place,
    identity: identityOf(folder, undefined),
    options,
    report,
    stopped: () => false,
  })
  return items
}

/** What the product finds for a question, by the same index, with the evidence and the features of each candidate. */
async function indexOf(items: readonly Item[]) {
  const index = TermIndex.build(
    items.map(({ title, body }, row) => ({ row, list: termList(documentColumns({ title, body })) })),
  )
  const vectors = await vectorsOf(items.map(({ title, body }) => `${title}\n${body}`))
  const background = vectors.flatMap((vector) =>
    vector ? unrelated.flatMap((other) => (other ? [cosine(vector, other)] : [])) : [],
  )
  const level = background.reduce((sum, value) => sum + value, 0) / Math.max(1, background.length)
  const spread = Math.sqrt(
    background.reduce((sum, value) => sum + (value - level) ** 2, 0) / Math.max(1, background.length),
  )
  const frequencyOf = (term: string) => index.documentFrequency(hashTerm(term))
  return async ({ id, kind, text, targets }: CodeQuestion) => {
    const analysis = analyseQuery(text)
    const searched = analysis.searchText.trim() === '' ? text : analysis.searchText
    const asked = collectionTerms(searched, frequencyOf)
    const documentFrequencies = new Map(asked.map(({ term }) => [term, frequencyOf(term)]))
    const plan = planKeywordSearch(asked, {
      items: index.items,
      averageLength: index.averageLength,
      documentFrequencies,
    })
    const [query] = await vectorsOf([searched])
    const near = vectors.map((vector) => (vector && query ? cosine(vector, query) : null))
    const nearest = [...near.keys()].sort((a, b) => (near[b] ?? -1) - (near[a] ?? -1)).slice(0, DEPTH)
    const rows = [...new Set([...index.search(plan, DEPTH), ...(query ? nearest : [])])]
    const evidence = index.evidence(plan, rows)
    const all = rows.map((row, i) => ({ row, keyword: evidence[i] ?? null, cosine: near[row] ?? null }))
    const chosen = preselect(all, LIMIT, (a, b) => a.row - b.row)
    const pieces = chosen.map(({ row, keyword, cosine: value }) => {
      const { fields = {}, body = '' } = items[row] ?? {}
      return {
        path: String(fields.file_path ?? ''),
        symbols: Array.isArray(fields.symbols) ? fields.symbols.map(String) : [],
        body,
        kind: FILE_KINDS.find((name) => name === fields.kind) ?? null,
        keyword: keyword?.score ?? 0,
        coverage: keyword?.coverage ?? 0,
        length: (keyword?.length ?? 0) / Math.max(1, index.averageLength),
        closeness: value === null ? null : (value - level) / Math.max(1e-3, spread),
        start: Number(fields.start_line ?? 0),
        end: Number(fields.end_line ?? Number.MAX_SAFE_INTEGER),
      }
    })
    const terms = plan.terms.filter((term) => term.kind !== 'phrase')
    const question = readQuestion(analysis, terms)
    return {
      id,
      kind,
      shape: question.shape,
      items: items.length,
      terms: terms.length,
      attainable: plan.attainable,
      targets: targets.length,
      paths: pieces.map(({ path }) => path),
      code: pieces.map(({ path }) => isCode(path)),
      keyword: pieces.map(({ keyword }) => keyword),
      coverage: pieces.map(({ coverage }) => coverage),
      closeness: pieces.map(({ closeness }) => closeness),
      /** Numbers of the targets that each candidate answers. */
      answers: pieces.map((piece) => targets.flatMap((target, i) => (answers(piece, target) ? [i] : []))),
      values: codeFeatures(question, pieces, plan).map((values) => CODE_FEATURES.map((name) => values[name])),
    }
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

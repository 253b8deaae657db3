/**
 * Collects the training data for the ranking of code: for every question of the sets, its candidates with the product's
 * own features.
 * @module
 */
import { basename, join } from 'node:path'
import { preselect } from '../../../src/knowledge/stores/preselect.ts'
import { TermIndex } from '../../../src/knowledge/stores/term-index.ts'
import { embeddedText } from '../../../src/knowledge/stores/turn-context.ts'
import { UNRELATED_QUESTIONS } from '../../../src/knowledge/unrelated-questions.ts'
import { CODE_FEATURES, codeFeatures } from '../../../src/ranking/code/features.ts'
import { readQuestion } from '../../../src/ranking/code/question.ts'
import { FILE_KINDS } from '../../../src/text/file-kind.ts'
import { collectionTerms, documentColumns } from '../../../src/text/index-terms.ts'
import { planKeywordSearch } from '../../../src/text/keyword-plan.ts'
import { analyseQuery } from '../../../src/text/query-analysis.ts'
import { hashTerm, termList } from '../../../src/text/term-list.ts'
import { readLines } from '../../eval/beir.ts'
import { type CodeQuestion, type CodeSet, readCodeSet } from '../../eval/code-data.ts'
import { answers, isCode } from '../../eval/code-measures.ts'
import type { Encoder } from './encoders.ts'
import { type Item, itemsOf } from './items.ts'

/** Number of candidates in each list, and the number of best ones of each list and of both for the ranking. */
const DEPTH = 100
const LIMIT = 50
/** Number of pasted issues from other repositories for each repository: long questions without an answer in it. */
const FOREIGN_ISSUES = 8
/** Distance between selected issues in the list of all issues. */
const STRIDE = 37

/** Paths of the sets and their sources. */
export interface Training {
  /** Folders of the sets. */
  readonly sets: readonly string[]
  /** One folder per set, with the same name, containing one folder per repository. */
  readonly sources: string
  /** Questions that no repository answers. */
  readonly unanswerable: string
}

/** One question with its candidates, as read by fit.py. */
export type Collected = Awaited<ReturnType<Awaited<ReturnType<typeof indexOf>>>> & {
  readonly set: string
  readonly repository: string
}

/** Questions in other words than the code's, written for training only: in no set that is measured. */
const OTHER_WORDS = join(import.meta.dirname, 'other-words.jsonl')
const OTHER_WORDS_SET = 'other-words'

interface OwnQuestion {
  readonly set: string
  readonly repository: string
  readonly id: string
  readonly query: string
  readonly files: readonly string[]
}

function asQuestion({ id, query, files }: OwnQuestion): CodeQuestion & { readonly set: string } {
  const targets = files.map((path) => ({ path }))
  return { id, kind: 'other_words', text: query, targets, answeredBy: null, set: OTHER_WORDS_SET }
}

/** Asks every repository its own questions and unanswerable ones, with each of several embedders. */
export async function collect(training: Training, encoders: readonly Encoder[]): Promise<Collected[][]> {
  const collected: Collected[][] = encoders.map(() => [])
  const own = await readLines<OwnQuestion>(OTHER_WORDS)
  const sets = await Promise.all(training.sets.map((folder) => readCodeSet(folder, training.unanswerable)))
  for (const [at, set] of sets.entries()) {
    const name = basename(training.sets[at] ?? '')
    for (const repository of set.repositories) {
      const items = await itemsOf(join(training.sources, name, repository.name))
      const questions: (CodeQuestion & { readonly set?: string })[] = [
        ...repository.questions,
        ...own.filter((question) => question.set === name && question.repository === repository.name).map(asQuestion),
        ...set.unanswerable.map(({ id, kind, text }) => ({
          id,
          kind: `none:${kind}`,
          text,
          targets: [],
          answeredBy: null,
        })),
        ...foreignIssues(sets, repository.name),
      ]
      for (const [i, encoder] of encoders.entries()) {
        const search = await indexOf(items, encoder)
        for (const question of questions) {
          collected[i]?.push({ set: question.set ?? name, repository: repository.name, ...(await search(question)) })
        }
      }
      process.stderr.write(`${name}/${repository.name}: ${questions.length} questions\n`)
    }
  }
  return collected
}

/** Pasted issues of other repositories, always the same ones for a repository. */
function foreignIssues(sets: readonly CodeSet[], repository: string): CodeQuestion[] {
  const issues = sets.flatMap(({ repositories }) =>
    repositories
      .filter(({ name }) => name !== repository)
      .flatMap(({ questions }) => questions.filter(({ kind }) => kind === 'issue')),
  )
  const names = sets.flatMap(({ repositories }) => repositories.map(({ name }) => name))
  const start = FOREIGN_ISSUES * STRIDE * names.indexOf(repository)
  return Array.from({ length: Math.min(FOREIGN_ISSUES, issues.length) }, (_, i) => {
    const { id, text } = issues[(start + i * STRIDE) % issues.length] as CodeQuestion
    return { id, kind: 'none:issue', text, targets: [], answeredBy: null }
  })
}

/**
 * The product's search results for a question, from the same index, with the evidence and features of each candidate.
 */
async function indexOf(items: readonly Item[], encoder: Encoder) {
  const index = TermIndex.build(
    items.map(({ title, body }, row) => ({ row, list: termList(documentColumns({ title, body })) })),
  )
  const unrelated = await encoder.unrelated(UNRELATED_QUESTIONS)
  const vectors = await encoder.documents(items.map(embeddedText))
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
    const { vector: query } = await encoder.question(searched)
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
      /** Indices of the targets that each candidate answers. */
      answers: pieces.map((piece) => targets.flatMap((target, i) => (answers(piece, target) ? [i] : []))),
      values: codeFeatures(question, pieces, plan).map((values) => CODE_FEATURES.map((name) => values[name])),
    }
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

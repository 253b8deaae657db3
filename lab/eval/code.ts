/**
 * `npm run --prefix lab eval:code -- --data <set> --sources <folder>`: search and augmentation on questions about real code bases.
 * @module
 */
import { join } from 'node:path'
import type { HttpClient } from '../../cli/harness.ts'
import { parseOptions } from '../../cli/ingest/options.ts'
import { ingest } from '../../cli/ingest.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { pathGiven } from '../paths.ts'
import { CachedEmbedPool } from '../vectors/vector-cache.ts'
import { clean, waitForVectors } from './beir.ts'
import { type CodeRepository, type CodeSet, readCodeSet } from './code-data.ts'
import { answers, measureCode, type Piece } from './code-measures.ts'
import { type CodeReport, formatCode, reportCode } from './code-report.ts'
import { wholeAnswer } from './whole-answer.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:code -- --data <set> --sources <folder> [options]

Ingests each repository of a set with the product's own command into a project of its own, asks every question through the
public API, and prints search quality by arm and what augmentation adds, beside the published figures.

Options
  --data SET            folder of the set: one folder a repository with meta.json and queries.jsonl
  --sources FOLDER      the sources, one folder a repository under the same name
  --unanswerable FILE   questions that no repository answers (default: unanswerable.jsonl of the set)
  --only NAME           only this repository; may be repeated
  --state FOLDER        keep the databases there, so that the next run sends only what changed
  --variable NAME=VALUE setting of the local Worker; may be repeated
  --json                print one object with every question
  --url URL             measure a running coordinator instead of a local one
  --key KEY             API key for --url
  -h, --help            print this
`

/** Measured depth of each list. The fused list is requested with more results, because only it includes the items. */
const DEPTH = 50
const FUSED_DEPTH = 100

export const ARMS = ['keyword', 'semantic', 'hybrid'] as const
export type Arm = (typeof ARMS)[number]
const LISTS = { keyword: 'keyword_results', semantic: 'semantic_results', hybrid: 'combined_results' } as const

/** The result of one question. */
export interface AskedQuestion {
  readonly repository: string
  readonly id: string
  readonly kind: string
  /** Missing for unanswerable questions. */
  readonly arms?: Readonly<Record<Arm, ReturnType<typeof measureCode>>>
  readonly silent: boolean
  /** Whether the context contains a correct piece. */
  readonly right: boolean
  /** Whether a correct piece is among the first ten results, shown or not. */
  readonly found: boolean
  readonly probability: number
  readonly tokens: number
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      sources: { type: 'string' },
      unanswerable: { type: 'string' },
      only: { type: 'string', multiple: true },
      state: { type: 'string' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data || !values.sources)
      throw new UsageError('name a set and its sources: --data <set> --sources <folder>')
    const whole = await readCodeSet(pathGiven(values.data), values.unanswerable && pathGiven(values.unanswerable))
    const { only } = values
    const set = { ...whole, repositories: whole.repositories.filter(({ name }) => !only || only.includes(name)) }
    const sources = pathGiven(values.sources)
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const options = {
      url,
      key: values.key,
      state: values.state && pathGiven(values.state),
      variables: variablesOf(values.variable),
    }
    const report = await withCoordinator(options, (http, at) => evaluateCode(http, at, values.key, set, sources))
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : formatCode(report))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:code --')
  }
}

/**
 * Ingests a folder with the product's command. Unchanged files are not sent again.
 * @returns the number of files that are stored
 * @throws Error if a file or a vector is missing: the figures would be of something else
 */
export async function ingestFolder(
  url: string,
  key: string | undefined,
  project: string,
  folder: string,
): Promise<number> {
  const options = parseOptions([folder, '--project', project, '--source', project, '--url', url], {})
  if (!options) throw new Error('The options of ingestion were not understood.')
  const { failure, files, rejected, vectors } = await ingest({ ...options, key }, new CachedEmbedPool())
  const [first] = rejected
  if (first) throw new Error(`${project}: ${files.rejected} files were rejected, ${JSON.stringify(first)}`)
  if (vectors?.left) throw new Error(`${project}: ${vectors.left}`)
  if (failure) throw new Error(`${project}: ${failure.message}`)
  return files.indexed + files.unchanged
}

/** Asks every question of every repository of a set. Each repository is ingested into its own project. */
export async function evaluateCode(
  http: HttpClient,
  url: string,
  key: string | undefined,
  set: CodeSet,
  sources: string,
): Promise<CodeReport> {
  const asked: AskedQuestion[] = []
  let threshold = 0
  for (const repository of set.repositories) {
    await ingestFolder(url, key, repository.name, join(sources, repository.name))
    await waitForVectors(http, repository.name, 'codebase-context')
    const progress = new Progress({
      noun: `questions of ${repository.name}`,
      total: repository.questions.length + set.unanswerable.length,
    })
    for (const question of repository.questions) {
      const arms = await askArms(http, repository, question)
      const augmented = await augmentOne(http, repository.name, question.text)
      threshold = augmented.threshold
      const right = augmented.pieces.some((piece) => question.targets.some((target) => answers(piece, target)))
      const { id, kind } = question
      asked.push({
        repository: repository.name,
        id,
        kind,
        arms: arms.measures,
        found: arms.found,
        right,
        ...augmented.facts,
      })
      progress.update(asked.length, '')
    }
    for (const { id, kind, text } of set.unanswerable) {
      const { facts } = await augmentOne(http, repository.name, text)
      asked.push({ repository: repository.name, id, kind: `none:${kind}`, found: false, right: false, ...facts })
    }
    progress.finish()
  }
  return reportCode(set, asked, threshold)
}

interface Hit {
  readonly fields: { readonly file_path?: string; readonly start_line?: number; readonly end_line?: number }
}

async function askArms(http: HttpClient, { name }: CodeRepository, question: CodeRepository['questions'][number]) {
  const answer = await wholeAnswer<Record<string, (Hit & { context_id: string })[]>>(http, '/hybrid_search', {
    project: name,
    query: clean(question.text),
    collections: ['codebase-context'],
    limit: FUSED_DEPTH,
    keyword_limit: DEPTH,
  })
  const items = new Map((answer.combined_results ?? []).map((hit) => [hit.context_id, pieceOf(hit)]))
  const piecesOf = (arm: Arm) =>
    (answer[LISTS[arm]] ?? []).slice(0, DEPTH).flatMap(({ context_id }) => items.get(context_id) ?? [])
  const measures = Object.fromEntries(ARMS.map((arm) => [arm, measureCode(piecesOf(arm), question.targets)])) as Record<
    Arm,
    ReturnType<typeof measureCode>
  >
  const first = piecesOf('hybrid').slice(0, 10)
  return { measures, found: first.some((piece) => question.targets.some((target) => answers(piece, target))) }
}

async function augmentOne(http: HttpClient, project: string, text: string) {
  const answer = await wholeAnswer<{
    contexts: { path: string | null; start_line: number | null; end_line: number | null }[]
    context_ids: string[]
    answer_probability: number
    relevance_threshold: number
    token_count: number
  }>(http, '/augment_query', { project, query: clean(text) })
  return {
    threshold: answer.relevance_threshold,
    pieces: answer.contexts.map(
      ({ path, start_line, end_line }): Piece => ({
        path: path ?? '',
        start: start_line ?? 0,
        end: end_line ?? Number.MAX_SAFE_INTEGER,
      }),
    ),
    facts: {
      silent: answer.context_ids.length === 0,
      probability: answer.answer_probability,
      tokens: answer.token_count,
    },
  }
}

function pieceOf({ fields }: Hit): Piece {
  return {
    path: fields.file_path ?? '',
    start: fields.start_line ?? 0,
    end: fields.end_line ?? Number.MAX_SAFE_INTEGER,
  }
}

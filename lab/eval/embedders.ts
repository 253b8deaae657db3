/**
 * `npm run --prefix lab eval:embedders`: compares the embedders in one run, on the same questions, with the cost of
 * each.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { type BuiltIn, buildCostWorker, builtInCosts, type Costs, llamaCosts } from '../embedders/costs.ts'
import { ingestionCosts } from '../embedders/ingestion.ts'
import { type LlamaServer, startLlamaServer } from '../embedders/llama-server.ts'
import { pathGiven } from '../paths.ts'
import { cut, readBeir } from './beir.ts'
import { evaluateCode } from './code.ts'
import { type CodeSet, readCodeSet } from './code-data.ts'
import { codeRow, costsRow, formatEmbedders, formatIngestionCosts, retrievalRow } from './embedders-report.ts'
import { evaluate } from './retrieval.ts'
import { withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:embedders -- [options]

Measures search and silence with each embedder in a fresh local coordinator of its own, and what each costs: the word table, the sentence
embedder with questions by its query table, the same with questions by the model, and models served by llama.cpp.

Options
  --data FOLDER         a BEIR data set; may be repeated
  --queries N           only the first N queries of each
  --documents N         only so many documents of each: those that the queries' judgements name, then others by chance
  --code SET=SOURCES    a set of questions about code bases, and the folder of their sources; may be repeated
  --only NAME           only this repository; may be repeated
  --unanswerable FILE   questions that no repository answers (default: unanswerable.jsonl of the set)
  --llama NAME=FILE     a model for llama.cpp, e.g. bge-small-en-v1.5=bge.gguf (lab/embedders/convert.py makes one); may be repeated
  --python PATH         interpreter that has lab/embedders/requirements.txt (default: python3)
  --embedder NAME       only this one of them; may be repeated
  --ingest FOLDER       ingest this folder with the word table and with the sentence embedder: time to words, to vectors, CPU
  --costs               measure CPU time, memory, cold start and size, too (Linux)
  --json                print one object, with every question about code
  -h, --help            print this
`

type Variables = Readonly<Record<string, string>>

/** Built-in embedders, and the variables that select them. */
const BUILT_IN: Readonly<Record<BuiltIn, Variables>> = {
  'word table': { EMBEDDER: 'static' },
  'query table': { EMBEDDER: 'minilm', MINILM_QUERIES: 'table' },
  'full model': { EMBEDDER: 'minilm', MINILM_QUERIES: 'full' },
}
const BUILT_IN_NAMES = Object.keys(BUILT_IN) as BuiltIn[]

/** The measurements for every embedder. */
interface Plan {
  readonly sets: readonly Awaited<ReturnType<typeof readBeir>>[]
  readonly code: readonly { readonly name: string; readonly set: CodeSet; readonly sources: string }[]
  readonly json: boolean
}

interface PreparedPlan extends Plan {
  /** The Worker, built once. */
  readonly bundle: string
}

/** The measurements of one embedder. */
export interface EmbedderReport {
  readonly embedder: string
  readonly costs: Costs | null
  readonly retrieval: readonly Awaited<ReturnType<typeof evaluate>>[]
  readonly code: readonly { readonly name: string; readonly report: Awaited<ReturnType<typeof evaluateCode>> }[]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string', multiple: true },
      queries: { type: 'string' },
      documents: { type: 'string' },
      code: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      unanswerable: { type: 'string' },
      llama: { type: 'string', multiple: true },
      python: { type: 'string' },
      embedder: { type: 'string', multiple: true },
      ingest: { type: 'string' },
      costs: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { data = [], code = [], llama = [], costs = false, json = false, python = 'python3' } = values
    if (values.ingest) return await tellIngestion(pathGiven(values.ingest), json)
    if (data.length + code.length === 0 && !costs)
      throw new UsageError(
        'name what to measure: --data <folder>, --code <set>=<sources>, --ingest <folder> or --costs',
      )
    const queries = numberGiven(values.queries, '--queries')
    const documents = numberGiven(values.documents, '--documents')
    const models = new Map(llama.map((given) => pair(given, '--llama')))
    const known = [...BUILT_IN_NAMES, ...models.keys()]
    const wanted = values.embedder ?? known
    const unknown = wanted.find((name) => !known.includes(name))
    if (unknown) throw new UsageError(`--embedder must be one of ${known.join(', ')}, not "${unknown}"`)
    const plan: Plan = {
      sets: (await Promise.all(data.map(readBeir))).map((set) => cut(set, queries, documents)),
      code: await Promise.all(code.map((given) => codeGiven(given, values.only, values.unanswerable))),
      json,
    }
    const reports = await measureAll(wanted, models, plan, costs, python)
    process.stdout.write(json ? `${JSON.stringify(reports)}\n` : formatEmbedders(reports))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:embedders --')
  }
}

async function tellIngestion(folder: string, json: boolean): Promise<number> {
  const measured = []
  for (const name of ['word table', 'full model'] as const)
    measured.push({ embedder: name, ...(await ingestionCosts(folder, BUILT_IN[name])) })
  process.stdout.write(json ? `${JSON.stringify(measured)}\n` : formatIngestionCosts(measured))
  return 0
}

async function measureAll(
  names: readonly string[],
  models: ReadonlyMap<string, string>,
  given: Plan,
  costs: boolean,
  python: string,
): Promise<EmbedderReport[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'hybrid-coordinator-embedders-'))
  try {
    const embedding = costs ? await buildCostWorker(join(scratch, 'embedding')) : ''
    const searches = given.sets.length + given.code.length > 0
    const plan = { ...given, bundle: searches ? await buildWorker(join(scratch, 'bundle')) : '' }
    const reports: EmbedderReport[] = []
    for (const name of names) {
      const file = models.get(name)
      if (file === undefined) {
        const variables = BUILT_IN[name as BuiltIn]
        const own = costs ? await builtInCosts(name as BuiltIn, variables, embedding) : null
        reports.push(await measureOne(name, variables, own, plan))
      } else reports.push(await measureLlama(name, pathGiven(file), plan, costs, python))
    }
    return reports
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function measureLlama(
  name: string,
  file: string,
  plan: PreparedPlan,
  costs: boolean,
  python: string,
): Promise<EmbedderReport> {
  const server: LlamaServer = await startLlamaServer(name, file, python)
  try {
    const variables = { EMBEDDER: 'llama.cpp', LLAMA_CPP_EMBEDDINGS_URL: server.url, EMBEDDING_MODEL: name }
    const own = costs ? await llamaCosts(server, file) : null
    return await measureOne(`llama.cpp ${name}`, variables, own, plan)
  } finally {
    await server.stop()
  }
}

async function measureOne(
  embedder: string,
  variables: Variables,
  costs: Costs | null,
  { sets, code, json, bundle }: PreparedPlan,
): Promise<EmbedderReport> {
  // Printed to standard error immediately, because a run takes long.
  const tell = (line: string) => !json && process.stderr.write(`${line}\n`)
  if (costs) tell(costsRow(embedder, costs))
  if (sets.length + code.length === 0) return { embedder, costs, retrieval: [], code: [] }
  return withCoordinator({ variables, bundle }, async (http, url) => {
    const retrieval = []
    for (const set of sets) {
      const report = await evaluate(http, set)
      retrieval.push(report)
      tell(`${report.dataset}: ${retrievalRow(embedder, report)}`)
    }
    const asked = []
    for (const { name, set, sources } of code) {
      const report = await evaluateCode(http, url, undefined, set, sources)
      asked.push({ name, report })
      tell(`${name}: ${codeRow(embedder, report)}`)
    }
    return { embedder, costs, retrieval, code: asked }
  })
}

async function codeGiven(given: string, only: readonly string[] | undefined, unanswerable: string | undefined) {
  const [folder, sources] = pair(given, '--code')
  const set = await readCodeSet(pathGiven(folder), unanswerable && pathGiven(unanswerable))
  const repositories = set.repositories.filter(({ name }) => !only || only.includes(name))
  if (repositories.length === 0) throw new UsageError(`${folder} has none of the repositories of --only`)
  const name = folder.replace(/\/+$/, '').split('/').at(-1) ?? folder
  return { name, set: { ...set, repositories }, sources: pathGiven(sources) }
}

function numberGiven(given: string | undefined, option: string): number {
  const value = given === undefined ? Number.POSITIVE_INFINITY : Number(given)
  if (!(value >= 1)) throw new UsageError(`${option} must be a number from 1, not "${given}"`)
  return value
}

function pair(given: string, option: string): [string, string] {
  const at = given.indexOf('=')
  if (at < 1 || at === given.length - 1) throw new UsageError(`${option} must be NAME=VALUE, not "${given}"`)
  return [given.slice(0, at), given.slice(at + 1)]
}

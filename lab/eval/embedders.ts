/**
 * `npm run --prefix lab eval:embedders -- --data <BEIR folder>`: the embedders beside each other, in one run, on the same questions.
 * @module
 */
import { parseArguments, parseUrl, UsageError } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { readBeir } from './beir.ts'
import { evaluate, type RetrievalReport } from './retrieval.ts'
import { withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:embedders -- --data <folder> [options]

Measures search with each embedder in a fresh local coordinator of its own: the word table, the sentence embedder with questions by
its query table, the same with questions by the model, and an embedding model behind llama.cpp where --llama names one.

Options
  --data FOLDER    a BEIR data set; may be repeated
  --queries N      only the first N queries
  --llama URL      a llama.cpp server started with --embeddings
  --model NAME     its model, e.g. bge-small-en-v1.5
  --json           print one object for each data set and embedder, one a line
  -h, --help       print this
`

type Variables = Readonly<Record<string, string>>

/** What is compared, and the variables that choose it. */
function candidates(llama: string | undefined, model: string | undefined): [string, Variables][] {
  const built: [string, Variables][] = [
    ['word table', { EMBEDDER: 'static' }],
    ['query table', { EMBEDDER: 'minilm', MINILM_QUERIES: 'table' }],
    ['full model', { EMBEDDER: 'minilm', MINILM_QUERIES: 'full' }],
  ]
  if (!llama) return built
  if (!model) throw new UsageError('--llama needs --model')
  const served = { EMBEDDER: 'llama.cpp', LLAMA_CPP_EMBEDDINGS_URL: llama, EMBEDDING_MODEL: model }
  return [...built, [`llama.cpp ${model}`, served]]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string', multiple: true },
      queries: { type: 'string' },
      llama: { type: 'string' },
      model: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data?.length) throw new UsageError('name a data set: --data <folder>')
    const most = values.queries === undefined ? Number.POSITIVE_INFINITY : Number(values.queries)
    if (!(most >= 1)) throw new UsageError(`--queries must be a number from 1, not "${values.queries}"`)
    const compared = candidates(values.llama && parseUrl(values.llama, '--llama'), values.model)
    const sets = await Promise.all(values.data.map(readBeir))
    for (const set of sets) {
      const asked = { ...set, queries: set.queries.slice(0, most) }
      if (!values.json) process.stdout.write(`${set.name}, ${asked.queries.length} queries, nDCG@10\n${HEADING}\n`)
      for (const [name, variables] of compared) {
        const report = await withCoordinator({ variables }, (http) => evaluate(http, asked))
        process.stdout.write(
          values.json ? `${JSON.stringify({ embedder: name, ...report })}\n` : `${row(name, report)}\n`,
        )
      }
    }
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run --prefix lab eval:embedders -- --help\n`)
    return 2
  }
}

const HEADING = `  ${'embedder'.padEnd(28)}keyword semantic  hybrid  hybrid − keyword`

function row(name: string, { arms, hybrid_minus_keyword: gain }: RetrievalReport): string {
  const figure = (value: number) => value.toFixed(4).padStart(8)
  const lists = [arms.keyword, arms.semantic, arms.hybrid].map((arm) => figure(arm['ndcg@10']))
  const interval = gain.ci95.map((value) => value.toFixed(4)).join(', ')
  return `  ${name.padEnd(27)}${lists.join(' ')}  ${gain['ndcg@10'].toFixed(4)} [${interval}]`
}

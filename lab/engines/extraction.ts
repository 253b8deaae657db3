/**
 * `npm run --prefix lab engines:extraction`: shows the patterns that a chat model extracts from ten solved questions,
 * and which of them are kept.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { SOLVED } from './solved-questions.ts'

const HELP = `Usage: npm run --prefix lab engines:extraction -- --url URL [options]

Reports ten questions with answers that worked to a fresh coordinator whose local model is a server with OpenAI's chat API, waits until a
pattern is learnt from each, and prints who wrote it: the model, or the rules because the model's words were not about the question.

Options
  --url URL      the chat server, e.g. http://127.0.0.1:8080
  --seconds S    give up after this (default: 900)
  -h, --help     print this

Exit codes: 0 a pattern was learnt from every question, 1 not from every one, 2 called wrongly.
`

interface Item {
  readonly fields: {
    readonly skill_name?: string
    readonly error_message?: string
    readonly extracted_by?: string
  } & Record<string, unknown>
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      url: { type: 'string' },
      seconds: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.url) throw new UsageError('--url must name the chat server.')
    return await measure(values.url, Number(values.seconds ?? 900))
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:extraction --')
  }
}

async function measure(url: string, seconds: number): Promise<number> {
  const worker = await startLocalWorker({
    variables: { LLAMA_CPP_BASE_URL: url, EMBEDDER: 'static', HIGH_VALUE_THRESHOLD: '0' },
  })
  try {
    const http = createHttpClient({ url: worker.url, timeoutMs: 120_000 })
    for (const { query, response } of SOLVED) {
      const exchange = { project: 'lab', query, response, agent_type: 'remote', model_used: 'a person' }
      const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', exchange)
      await http.post('/update_outcome', { interaction_id, outcome: 'success' })
    }
    const end = performance.now() + seconds * 1_000
    let items: Item[] = []
    let open = true
    while (open && performance.now() < end) {
      await sleep(2_000)
      items = await learnt(http)
      // Learning begins once an interaction is scored: until then there is no job of that kind.
      const left = await Promise.all(
        ['pending', 'running'].map((status) =>
          http.get<{ jobs: object[] }>(`/learning/jobs?project=lab&status=${status}&limit=50`),
        ),
      )
      open = left.some(({ jobs }) => jobs.length > 0)
    }
    for (const { fields } of items) {
      const text = String(fields.description ?? fields.solution).replace(/\s+/g, ' ')
      process.stdout.write(
        `${String(fields.extracted_by).padEnd(12)} ${fields.skill_name ?? fields.error_message}\n${' '.repeat(13)}${text.slice(0, 160)}\n`,
      )
    }
    const { jobs: dead } = await http.get<{ jobs: { kind: string; last_error: string | null }[] }>(
      '/learning/jobs?project=lab&status=dead&limit=50',
    )
    for (const { kind, last_error } of dead) process.stdout.write(`dead: ${kind}, ${last_error}\n`)
    const byRules = items.filter(({ fields }) => fields.extracted_by === 'rules').length
    process.stdout.write(
      `${items.length} of ${SOLVED.length} learnt: ${items.length - byRules} in the model's words, ${byRules} by the rules\n`,
    )
    return items.length === SOLVED.length ? 0 : 1
  } finally {
    await worker.stop()
  }
}

async function learnt(http: ReturnType<typeof createHttpClient>): Promise<Item[]> {
  const pages = await Promise.all(
    ['skills-patterns', 'error-solutions'].map((collection) =>
      http.get<{ items: Item[] }>(`/knowledge/items/${collection}?project=lab&limit=50`),
    ),
  )
  return pages.flatMap(({ items }) => items)
}

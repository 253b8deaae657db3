/**
 * `npm run --prefix lab engines:llama`: kills and pauses real llama.cpp servers while the jobs that use them run, and
 * checks that the work is completed.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, type HttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'
import { LLAMA_FAULTS, type LlamaFault, LlamaProcess } from './llama-process.ts'
import { SOLVED } from './solved-questions.ts'

const HELP = `Usage: npm run --prefix lab engines:llama -- --chat FILE.gguf --embeddings FILE.gguf --model NAME [options]

Starts a chat server and an embedding server of llama.cpp, and a fresh coordinator that uses them. Each kind of job that needs a model runs
twice: once with its server killed (SIGKILL) in the middle and started again, and once with its server paused. A streamed answer is broken
off too. Prints when everything was done, and what was lost.

Options
  --chat FILE        chat model
  --embeddings FILE  embedding model
  --model NAME       name of the embedding model, as in EMBEDDING_MODEL
  --python FILE      a Python with xllamacpp (default: python3)
  --seconds S        how long a server is away (default: 8)
  -h, --help         print this

Exit codes: 0 everything was done, 1 otherwise, 2 called wrongly.
`

const PATIENCE_MS = 600_000
/** From the cause of a job until its server fails, in milliseconds. */
const UNTIL_FAULT_MS = 1_500
const LOOK_MS = 1_000
const PATTERNS = 4
const TURNS = 5
const ITEMS = 60

interface World {
  readonly http: HttpClient
  readonly sweep: () => Promise<unknown>
  readonly chat: LlamaProcess
  readonly embeddings: LlamaProcess
  readonly seconds: number
}

interface Scenario {
  readonly server: 'chat' | 'embeddings'
  /** Requests that are acknowledged. */
  cause(world: World, project: string): Promise<void>
  /** What is missing; null: nothing. */
  missing(world: World, project: string): Promise<string | null>
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  learn_pattern: {
    server: 'chat',
    async cause({ http }, project) {
      for (const { query, response } of SOLVED.slice(0, PATTERNS)) {
        const exchange = { project, query, response, agent_type: 'remote', model_used: 'a person' }
        const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', exchange)
        await http.post('/update_outcome', { interaction_id, outcome: 'success' })
      }
    },
    async missing({ http }, project) {
      const pages = await Promise.all(
        ['skills-patterns', 'error-solutions'].map((collection) =>
          http.get<{ items: object[] }>(`/knowledge/items/${collection}?project=${project}&limit=50`),
        ),
      )
      const learnt = pages.flatMap(({ items }) => items).length
      return learnt === PATTERNS ? null : `${PATTERNS - learnt} of ${PATTERNS} patterns`
    },
  },
  summarise_conversation: {
    server: 'chat',
    async cause({ http }, project) {
      for (const { query } of SOLVED.slice(0, TURNS)) {
        await http.post('/context/multi_turn', { project, query, session_id: 'talk' })
      }
    },
    async missing({ http }, project) {
      const { summary } = await http.get<{ summary: { method: string } }>(`/session/talk?project=${project}`)
      return summary.method === 'model' ? null : 'the summary'
    },
  },
  embed_collection: {
    server: 'embeddings',
    async cause({ http }, project) {
      const items = Array.from({ length: ITEMS }, (_, i) => {
        const { query, response } = SOLVED[i % SOLVED.length] ?? { query: '', response: '' }
        return { key: `k${i}`, fields: { description: `Case ${i}. ${query} ${`${response} `.repeat(5)}` } }
      })
      await http.post('/knowledge/items', { project, collection: 'best-practices', items })
    },
    async missing({ http }, project) {
      const { collections } = await http.get<{ collections: { name: string; with_vector: number }[] }>(
        `/collections?project=${project}`,
      )
      const embedded = collections.find(({ name }) => name === 'best-practices')?.with_vector ?? 0
      return embedded === ITEMS ? null : `${ITEMS - embedded} of ${ITEMS} vectors`
    },
  },
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      chat: { type: 'string' },
      embeddings: { type: 'string' },
      model: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      seconds: { type: 'string', default: '8' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.chat || !values.embeddings || !values.model)
      throw new UsageError('--chat, --embeddings and --model must be given.')
    const seconds = Number(values.seconds)
    if (!(seconds > 0)) throw new UsageError('--seconds must be a number above 0.')
    const python = values.python.includes('/') ? pathGiven(values.python) : values.python
    return await runAll(
      { python, chat: pathGiven(values.chat), embeddings: pathGiven(values.embeddings), model: values.model },
      seconds,
    )
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:llama --')
  }
}

async function runAll(
  files: { python: string; chat: string; embeddings: string; model: string },
  seconds: number,
): Promise<number> {
  const chat = await LlamaProcess.start(files.python, files.chat, 'chat')
  const embeddings = await LlamaProcess.start(files.python, files.embeddings, 'embeddings')
  const worker = await startLocalWorker({
    variables: {
      LLAMA_CPP_BASE_URL: chat.url,
      LLAMA_CPP_EMBEDDINGS_URL: embeddings.url,
      EMBEDDER: 'llama.cpp',
      EMBEDDING_MODEL: files.model,
      HIGH_VALUE_THRESHOLD: '0',
      HOLD_OUT_SHARE: '0',
      LOG_LEVEL: 'error',
    },
  })
  try {
    const http = createHttpClient({ url: worker.url, timeoutMs: 120_000 })
    const sweep = () => worker.scheduled('* * * * *').catch(() => undefined)
    const world = { http, sweep, chat, embeddings, seconds }
    let bad = 0
    for (const [kind, scenario] of Object.entries(SCENARIOS)) {
      for (const fault of LLAMA_FAULTS) {
        const { line, done } = await meet(world, kind, scenario, fault)
        if (!done) bad++
        process.stdout.write(`${kind.padEnd(24)} ${line}\n`)
      }
    }
    const { line, done } = await breakStream(world, worker.url)
    if (!done) bad++
    process.stdout.write(`${'/v1, streamed'.padEnd(24)} ${line}\n`)
    return bad === 0 ? 0 : 1
  } finally {
    await worker.stop()
    await chat.stop()
    await embeddings.stop()
  }
}

/** Causes a job, lets its server fail in the middle, and waits until nothing is missing. */
async function meet(
  world: World,
  kind: string,
  scenario: Scenario,
  fault: LlamaFault,
): Promise<{ line: string; done: boolean }> {
  const project = `${fault}-${kind.replaceAll('_', '-')}`
  const started = performance.now()
  const failing = sleep(UNTIL_FAULT_MS).then(() => world[scenario.server].meet(fault, world.seconds))
  await scenario.cause(world, project)
  const acknowledged = (performance.now() - started) / 1_000
  await failing
  const missingAtReturn = await scenario.missing(world, project)
  let missing = missingAtReturn
  while (missing !== null && performance.now() - started < PATIENCE_MS) {
    await sleep(LOOK_MS)
    await world.sweep()
    missing = await scenario.missing(world, project)
  }
  const { jobs } = await world.http.get<{ jobs: object[] }>(`/learning/jobs?project=${project}&status=dead&limit=50`)
  const seconds = (performance.now() - started) / 1_000
  const away = `server ${fault} for ${world.seconds} s; acknowledged after ${acknowledged.toFixed(1)} s`
  const then =
    missingAtReturn === null ? 'nothing was missing when it was back' : `missing when it was back: ${missingAtReturn}`
  const end = missing === null ? `done after ${seconds.toFixed(0)} s` : `STILL MISSING: ${missing}`
  return {
    line: `${away}; ${then}; ${end}; ${jobs.length} dead jobs`,
    done: missing === null && jobs.length === 0,
  }
}

/** Kills the chat server in the middle of a streamed answer. The stream must end with an error, and never cleanly. */
async function breakStream({ chat, seconds }: World, url: string): Promise<{ line: string; done: boolean }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'local',
      stream: true,
      max_tokens: 2_000,
      messages: [{ role: 'user', content: 'Write a long story about a lighthouse.' }],
    }),
  })
  let text = ''
  let away: Promise<void> | null = null
  const decoder = new TextDecoder()
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (text.includes('"content"')) away ??= chat.meet('killed', seconds)
  }
  await away
  const done = away !== null && text.includes('"error"') && !text.includes('[DONE]')
  const end = text.includes('[DONE]') ? 'ended as if it were complete' : 'ended with an error'
  return { line: `status ${response.status}; killed after the first words; the stream ${end}`, done }
}

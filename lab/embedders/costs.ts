/**
 * Measures the cost of an embedder: CPU time per text, time and CPU until the first answer, memory. Built-in embedders
 * run in workerd, with no other work in the isolate; others in their own process. CPU time is that of the whole
 * process, so it is valid on a busy machine too. Linux only.
 * @module
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { buildWorker, startLocalWorker } from '../../cli/harness.ts'
import type { EmbeddingPurpose } from '../../src/inference/embedding/embedder.ts'
import { WEIGHTS_PATH } from '../../src/inference/embedding/minilm/model.ts'
import { QUERY_TABLE_PATH } from '../../src/inference/embedding/minilm/query-table.ts'
import { STATIC_TABLE_PATH } from '../../src/inference/embedding/static/embedder.ts'
import { freePort, isolateBytes } from '../bench/workerd.ts'
import type { LlamaServer } from './llama-server.ts'
import { childrenNamed, cpuMs, residentBytes } from './process-figures.ts'

const PUBLIC = join(import.meta.dirname, '../../public')
const ENTRY = join(import.meta.dirname, 'worker/worker.ts')

/** Texts differ, because an embedder caches recent ones. */
const QUESTIONS = 60
const PASSAGES = 20
const SUBJECTS = ['file', 'route', 'cookie', 'query', 'token', 'stream', 'header', 'cache', 'worker', 'schema']

/** About a dozen word pieces. */
export function questionNumber(at: number): string {
  const of = (step: number) => SUBJECTS[Math.floor(at / step) % SUBJECTS.length]
  return `How do I read the ${of(1)} of a ${of(10)} line by line?`
}

/** More than 128 word pieces, like most chunks of code. */
export function passageNumber(at: number): string {
  const name = SUBJECTS[at % SUBJECTS.length]
  const line = `function read_${name}(path, options) { // Yields the ${name} in parts, as they come from the disk.\n`
  return `src/${name}.ts read_${name}\n${line}${line.repeat(8)}`
}

export interface Costs {
  /** CPU time in milliseconds. */
  readonly question: number
  /** Null: it embeds no passages. */
  readonly passage: number | null
  /** From the start of the isolate or process to the first answer, in milliseconds of CPU and of the clock. */
  readonly coldCpu: number
  readonly coldMs: number
  /** Additional memory in bytes, compared with a process that doesn't embed; for a separate process, all its memory. */
  readonly memory: number
  /** Size of its files, in bytes. */
  readonly size: number
}

/** A built-in embedder, by the variables that select it. */
export type BuiltIn = 'word table' | 'query table' | 'full model'

const FILES: Readonly<Record<BuiltIn, readonly string[]>> = {
  'word table': [STATIC_TABLE_PATH],
  'query table': [QUERY_TABLE_PATH],
  'full model': [WEIGHTS_PATH],
}

/**
 * Measures a built-in embedder in workerd. The first answer includes reading its files from the static assets.
 * @param bundle the output of {@link buildCostWorker}
 */
export async function builtInCosts(
  name: BuiltIn,
  variables: Readonly<Record<string, string>>,
  bundle: string,
): Promise<Costs> {
  const before = new Set(await childrenNamed('workerd'))
  const inspectorPort = await freePort()
  const worker = await startLocalWorker({ entry: ENTRY, bundle, variables, inspectorPort })
  try {
    const pid = (await childrenNamed('workerd')).find((one) => !before.has(one))
    if (pid === undefined) throw new Error('No process named workerd was started.')
    const embed = (texts: readonly string[], purpose: EmbeddingPurpose) => ask(worker.url, texts, purpose)
    // An isolate that has handled a request, without an embedder.
    await embed([], 'query')
    const empty = await isolateBytes(inspectorPort, true)
    const cold = await timed(pid, () => embed([questionNumber(QUESTIONS)], 'query'))
    // The optimising compiler starts during embedding; the costs before that are excluded.
    await embed(
      range(20).map((at) => questionNumber(1_000 + 7 * at)),
      'query',
    )
    const question = await timed(pid, () => embed(range(QUESTIONS).map(questionNumber), 'query'))
    const passages = name === 'query table' ? null : range(PASSAGES).map(passageNumber)
    if (passages) await embed(passages.slice(0, 5), 'document')
    const passage = passages && (await timed(pid, () => embed(passages, 'document')))
    return {
      question: question.cpu / QUESTIONS,
      passage: passage && passage.cpu / PASSAGES,
      coldCpu: cold.cpu,
      coldMs: cold.ms,
      memory: (await isolateBytes(inspectorPort, true)) - empty,
      size: await sizeOf(FILES[name].map((file) => join(PUBLIC, file))),
    }
  } finally {
    await worker.stop()
  }
}

/** Bundles a Worker that only embeds. */
export function buildCostWorker(folder: string): Promise<string> {
  return buildWorker(folder, ENTRY)
}

/** Measures a llama.cpp server in its own process. */
export async function llamaCosts(server: LlamaServer, file: string): Promise<Costs> {
  const { pid, direct, readyMs } = server
  const coldCpu = await cpuMs(pid)
  const embed = async (texts: readonly string[]) => {
    for (const input of texts) {
      const response = await fetch(`${direct}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input: [input] }),
      })
      if (!response.ok) throw new Error(`llama.cpp answered with status ${response.status}`)
      await response.arrayBuffer()
    }
  }
  await embed([questionNumber(QUESTIONS)])
  const question = await timed(pid, () => embed(range(QUESTIONS).map(questionNumber)))
  const passage = await timed(pid, () => embed(range(PASSAGES).map(passageNumber)))
  return {
    question: question.cpu / QUESTIONS,
    passage: passage.cpu / PASSAGES,
    coldCpu,
    coldMs: readyMs,
    memory: await residentBytes(pid),
    size: await sizeOf([file]),
  }
}

async function ask(url: string, texts: readonly string[], purpose: EmbeddingPurpose): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ texts, purpose }) })
  if (!response.ok) throw new Error(`The Worker that embeds answered with status ${response.status}.`)
  const { embedded } = (await response.json()) as { embedded: number }
  if (embedded !== texts.length) throw new Error(`${texts.length - embedded} of ${texts.length} texts got no vector.`)
}

async function timed(pid: number, work: () => Promise<void>): Promise<{ cpu: number; ms: number }> {
  const cpu = await cpuMs(pid)
  const started = performance.now()
  await work()
  return { cpu: (await cpuMs(pid)) - cpu, ms: performance.now() - started }
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const range = (count: number) => Array.from({ length: count }, (_, at) => at)

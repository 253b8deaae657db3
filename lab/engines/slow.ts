/**
 * `npm run --prefix lab engines:slow`: measures the number of items with vectors over time with a slow embedding
 * server.
 * @module
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'

const HELP = `Usage: npm run --prefix lab engines:slow -- [options]

Stores items in a fresh coordinator whose embedding server takes a fixed time for each text, and prints how many have a vector, second by
second, until all have one.

Options
  --pace MS      time that the server takes for one text, one request at a time (default: 1500)
  --items N      short items, stored in one call (default: 40)
  --seconds S    give up after this (default: 240)
  -h, --help     print this

Exit codes: 0 every item has a vector, 1 some have none, 2 called wrongly.
`

const DIMENSIONS = 384
const LOOK_MS = 1_000

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      pace: { type: 'string' },
      items: { type: 'string' },
      seconds: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const number = (text: string | undefined, otherwise: number) => {
      const value = Number(text ?? otherwise)
      if (!Number.isInteger(value) || value < 1) throw new UsageError(`"${text}" is not a whole number above 0.`)
      return value
    }
    return await measure(number(values.pace, 1_500), number(values.items, 40), number(values.seconds, 240))
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:slow --')
  }
}

async function measure(pace: number, items: number, seconds: number): Promise<number> {
  const slow = await startSlowEmbedder(pace)
  const worker = await startLocalWorker({
    variables: { EMBEDDER: 'llama.cpp', LLAMA_CPP_EMBEDDINGS_URL: slow.url, EMBEDDING_MODEL: 'bge-small-en-v1.5' },
  })
  try {
    const http = createHttpClient({ url: worker.url, timeoutMs: 120_000 })
    const texts = Array.from({ length: items }, (_, i) => ({
      key: `k${i}`,
      fields: { description: `Rule number ${i}.` },
    }))
    const started = performance.now()
    const since = () => (performance.now() - started) / 1_000
    const { totals } = await http.post<{ totals: { pending_vectors: number } }>('/knowledge/items', {
      project: 'slow',
      collection: 'best-practices',
      items: texts,
    })
    process.stdout.write(
      `stored ${items} items in ${since().toFixed(1)} s; the answer says that ${totals.pending_vectors} wait for vectors\n`,
    )
    let last = -1
    while (since() < seconds) {
      const { collections } = await http.get<{
        collections: { name: string; with_vector: number; pending_vectors: number }[]
      }>('/collections?project=slow')
      const { with_vector = 0, pending_vectors = 0 } = collections.find(({ name }) => name === 'best-practices') ?? {}
      if (with_vector !== last) {
        const sizes = slow.requests.splice(0).join(', ')
        process.stdout.write(
          `${since().toFixed(0).padStart(4)} s  ${String(with_vector).padStart(4)} with a vector, ${pending_vectors} wait; texts of each request since: ${sizes || 'none'}\n`,
        )
        last = with_vector
      }
      if (with_vector === items) return 0
      await sleep(LOOK_MS)
    }
    return 1
  } finally {
    await worker.stop()
    slow.server.closeAllConnections()
    slow.server.close()
  }
}

interface SlowEmbedder {
  readonly url: string
  readonly server: Server
  /** Number of texts in each request. */
  readonly requests: number[]
}

/** A server with OpenAI's embeddings API that processes one request at a time, and stops if its client disconnects. */
async function startSlowEmbedder(pace: number): Promise<SlowEmbedder> {
  const requests: number[] = []
  let queue = Promise.resolve()
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      if (request.method !== 'POST') return response.writeHead(200).end('{}')
      const input = [(JSON.parse(body) as { input: string[] }).input].flat()
      requests.push(input.length)
      queue = queue.then(() => embed(input, response, pace))
      return undefined
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, requests }
}

async function embed(input: readonly string[], response: ServerResponse, pace: number): Promise<void> {
  for (const _ of input) {
    if (response.destroyed) return
    await sleep(pace)
  }
  const data = input.map((text, index) => ({
    index,
    embedding: Array.from({ length: DIMENSIONS }, (_, i) => Math.sin((i + 1) * (text.length + 1))),
  }))
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

/**
 * A llama.cpp server with an embedding model, behind a proxy that caches every vector in a file: each text is embedded
 * only once on this machine, for all measurements.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../bench/workerd.ts'

const SERVE = join(import.meta.dirname, 'serve.py')
/** The cache of vectors. Not committed; can be deleted at any time. */
const CACHE = join(import.meta.dirname, '../.cache/llama-cpp.sqlite')
const READY_MS = 120_000
/** Two processes may write: maximum wait for the other, in milliseconds. */
const BUSY_MS = 60_000

export interface LlamaServer {
  /** Base URL of the proxy. */
  readonly url: string
  /** Base URL of llama.cpp itself. */
  readonly direct: string
  readonly pid: number
  /** Time from the start of the process until it answers, in milliseconds. */
  readonly readyMs: number
  stop(): Promise<void>
}

/**
 * Starts llama.cpp with a model.
 * @param name of the model; vectors are cached under it
 * @param file GGUF
 * @param python interpreter that has lab/embedders/requirements.txt
 * @throws Error if the server doesn't start
 */
export async function startLlamaServer(name: string, file: string, python: string): Promise<LlamaServer> {
  const port = await freePort()
  const started = performance.now()
  const child = spawn(python, [SERVE, file, String(port), '--threads', '1', '--seconds', '14400'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (part: Buffer) => {
    log = `${log}${part}`.slice(-2_000)
  })
  const direct = `http://127.0.0.1:${port}`
  try {
    await ready(direct, child)
  } catch (error) {
    child.kill()
    throw new Error(`llama.cpp did not start with ${file}: ${error instanceof Error ? error.message : error}\n${log}`)
  }
  const readyMs = performance.now() - started
  const proxy = await startProxy(name, direct)
  return {
    url: proxy.url,
    direct,
    pid: child.pid ?? 0,
    readyMs,
    async stop() {
      proxy.close()
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + READY_MS
  while (performance.now() < end) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    const healthy = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (healthy) return
    await sleep(100)
  }
  throw new Error(`it did not answer within ${READY_MS / 1000} s`)
}

interface EmbeddingsReply {
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] }[]
}

/**
 * Answers `POST /v1/embeddings` from the cache, requests missing vectors from llama.cpp, and forwards all other
 * requests.
 */
async function startProxy(name: string, upstream: string): Promise<{ url: string; close(): void }> {
  mkdirSync(dirname(CACHE), { recursive: true })
  const database = new DatabaseSync(CACHE)
  database.exec(
    `PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
     CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID`,
  )
  const find = database.prepare('SELECT vector FROM vectors WHERE key = ?')
  const keep = database.prepare('INSERT OR IGNORE INTO vectors VALUES (?, ?)')
  const keyOf = (text: string) => createHash('sha256').update(`${name}\0${text}`).digest()
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(body),
      (error: unknown) => response.writeHead(502).end(JSON.stringify({ error: { message: String(error) } })),
    )
  })

  async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
    const body = await bodyOf(request)
    if (request.method !== 'POST' || request.url !== '/v1/embeddings') {
      const reply = await fetch(`${upstream}${request.url}`, { method: request.method ?? 'GET' })
      return { status: reply.status, body: await reply.text() }
    }
    const { input } = JSON.parse(body) as { input: string[] }
    const known = input.map((text) => find.get(keyOf(text)) as { vector: Uint8Array } | undefined)
    const missing = input.filter((_, i) => !known[i])
    const made = new Map<string, Float32Array>()
    if (missing.length > 0) {
      const reply = await fetch(`${upstream}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input: missing, encoding_format: 'float' }),
      })
      if (!reply.ok) return { status: reply.status, body: await reply.text() }
      const { data } = (await reply.json()) as EmbeddingsReply
      for (const { index, embedding } of data) {
        const text = missing[index] ?? ''
        made.set(text, Float32Array.from(embedding))
        keep.run(keyOf(text), new Uint8Array(Float32Array.from(embedding).buffer))
      }
    }
    const data = input.map((text, index) => {
      const kept = known[index]?.vector
      const vector = kept ? new Float32Array(kept.slice().buffer) : made.get(text)
      return { object: 'embedding', index, embedding: Array.from(vector ?? []) }
    })
    return { status: 200, body: JSON.stringify({ object: 'list', model: name, data }) }
  }

  return { url: await listening(server), close: () => closeAll(server, database) }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return `http://127.0.0.1:${address.port}`
}

function closeAll(server: Server, database: DatabaseSync): void {
  server.closeAllConnections()
  server.close()
  database.close()
}

/**
 * `npm run --prefix lab engines:findings`: repeats the checks for all findings made with real engines, on this version
 * and on an earlier one.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createHttpClient, type HttpClient, type LocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { QdrantStub } from '../../test/knowledge/stores/qdrant-stub.ts'
import { CHECKS } from './finding-checks.ts'
import { deleteCollections } from './qdrant-server.ts'
import { type StandIn, serve } from './stand-ins.ts'

const ROOT = join(import.meta.dirname, '../..')
const HELP = `Usage: npm run --prefix lab engines:findings -- [options]

Asks a fresh coordinator what real engines once got wrong answers to, and prints what it does: on stand-ins, and on the real servers that
the environment names. With --before the same is asked of an earlier version.

Options
  --before COMMIT   also of this version
  --only LIST       numbers of findings, such as 1,7
  --stand-ins       leave the real servers out
  -h, --help        print this

Environment
  QDRANT_URL, QDRANT_API_KEY     a Qdrant server; without it its rows say "skipped"
  LLAMA_CPP_BASE_URL             a llama.cpp server with a chat model
  LLAMA_CPP_EMBEDDINGS_URL       one with an embedding model of 384 numbers (all-MiniLM-L6-v2)

Exit codes: 0 everything holds in this version, 1 something does not, 2 called wrongly.
`

/** The environment in which a finding is checked. */
export interface World {
  readonly real: boolean
  readonly before: boolean
  readonly qdrant: string | null
  readonly chat: string | null
  readonly embedder: string | null
  /** Folder of the tested version. */
  readonly folder: string
  /** Starts a coordinator with QDRANT_PREFIX set. {@link close} stops it. */
  start(variables: Readonly<Record<string, string>>): Promise<{ http: HttpClient; worker: LocalWorker }>
  /** Registers a server to be stopped by {@link close}. */
  keep<T extends { stop(): void }>(standIn: Promise<T>): Promise<T>
}

/** The result; null: no real server is available for it. */
export type Seen = { readonly holds: boolean; readonly seen: string } | null

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      before: { type: 'string' },
      only: { type: 'string' },
      'stand-ins': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const only = values.only?.split(',') ?? null
    const versions = [{ name: 'now', folder: ROOT }]
    const earlier = values.before ? await checkOut(values.before) : null
    if (earlier) versions.unshift({ name: values.before ?? '', folder: earlier })
    let broken = 0
    try {
      for (const check of CHECKS) {
        if (only && !only.includes(check.number)) continue
        process.stdout.write(`${check.number}. ${check.title}\n`)
        for (const { name, folder } of versions) {
          for (const real of values['stand-ins'] ? [false] : [false, true]) {
            const seen = await tried(check.run, folder, real, folder !== ROOT)
            const where = `${name}, ${real ? 'server' : 'stand-in'}`.padEnd(20)
            const verdict = seen === null ? 'skipped' : seen.holds ? 'holds' : 'BROKEN'
            if (folder === ROOT && seen?.holds === false) broken++
            process.stdout.write(`   ${where} ${verdict.padEnd(8)} ${seen?.seen ?? 'no such server is named'}\n`)
          }
        }
      }
    } finally {
      if (earlier) await removeCheckout(earlier)
    }
    return broken === 0 ? 0 : 1
  } catch (error) {
    return reportUsage(error, '--prefix lab engines:findings --')
  }
}

async function tried(
  check: (world: World) => Promise<Seen>,
  folder: string,
  real: boolean,
  before: boolean,
): Promise<Seen> {
  const { QDRANT_URL, QDRANT_API_KEY, LLAMA_CPP_BASE_URL, LLAMA_CPP_EMBEDDINGS_URL } = process.env
  const stub = real ? null : await stubbedQdrant()
  const prefix = `finding-${crypto.randomUUID().slice(0, 8)}-`
  const opened: { stop(): unknown }[] = stub ? [stub] : []
  const { startLocalWorker } = (await import(join(folder, 'cli/shared/local-worker.ts'))) as {
    startLocalWorker(options: object): Promise<LocalWorker>
  }
  const world: World = {
    real,
    before,
    folder,
    qdrant: stub?.url ?? QDRANT_URL ?? null,
    chat: (real && LLAMA_CPP_BASE_URL) || null,
    embedder: (real && LLAMA_CPP_EMBEDDINGS_URL) || null,
    async start(variables) {
      const key = real && QDRANT_API_KEY ? { QDRANT_API_KEY } : {}
      const worker = await startLocalWorker({
        variables: {
          EMBEDDER: 'static',
          HOLD_OUT_SHARE: '0',
          LOG_LEVEL: 'error',
          QDRANT_PREFIX: prefix,
          ...key,
          ...variables,
        },
      })
      opened.unshift(worker)
      return { http: createHttpClient({ url: worker.url, attempts: 1, timeoutMs: 120_000 }), worker }
    },
    async keep(standIn) {
      const started = await standIn
      opened.push(started)
      return started
    },
  }
  try {
    return await check(world)
  } catch (error) {
    return { holds: false, seen: `failed: ${error instanceof Error ? error.message : error}`.slice(0, 300) }
  } finally {
    for (const one of opened) await one.stop()
    if (real && QDRANT_URL) await deleteCollections(QDRANT_URL, prefix, QDRANT_API_KEY)
  }
}

/** The tests' stub as a server. */
async function stubbedQdrant(): Promise<StandIn> {
  const stub = new QdrantStub()
  return serve(async (request, body, response) => {
    const headers = { 'content-type': 'application/json' }
    const method = request.method ?? 'GET'
    const answer = await stub.fetch(`http://qdrant.test${request.url}`, {
      method,
      headers,
      ...(body !== '' && { body }),
    })
    response.writeHead(answer.status, headers).end(await answer.text())
  })
}

async function checkOut(commit: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-before-'))
  const git = promisify(execFile)
  await git('git', ['worktree', 'add', '--detach', folder, commit], { cwd: ROOT }).catch((error: Error) => {
    throw new UsageError(`--before: ${error.message}`)
  })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

async function removeCheckout(folder: string): Promise<void> {
  await rm(join(folder, 'node_modules'))
  await promisify(execFile)('git', ['worktree', 'remove', '--force', folder], { cwd: ROOT })
}

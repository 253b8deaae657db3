/**
 * `doctor`: tests each part with one real request, and reports what is wrong, why, and how to fix it.
 * @module
 */
import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { checkConnection, checkMcp } from './connect/check.ts'
import { configFolder } from './connect/files.ts'
import { readInstance } from './dev/state.ts'
import { DEFAULT_STATE } from './dev.ts'
import { testQuestions } from './setup/questions.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, type HttpClient, HttpError } from './shared/http.ts'
import { explain, TARGET_OPTIONS, type Target, TargetError, targetOf } from './shared/target.ts'
import { plural, style } from './shared/terminal.ts'

const HELP = `Usage: npm run doctor -- [options]

Tests each part with one real request: coordinator, key, project, search, models, background work, MCP endpoint and the hooks of
connected agents. Prints what is wrong, why, and how to fix it. Changes nothing.

Options
  --project NAME   project (default: default)
  --url URL        the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY        API key (default: HYBRID_API_KEY)
  --state FOLDER   data of the local coordinator (default: .wrangler/state)
  -h, --help       print this

Exit codes: 0 no problem found, 1 a problem found, 2 invalid usage.
`

/** The result for one part. */
export interface Finding {
  readonly state: 'ok' | 'warning' | 'fault'
  readonly text: string
  /** How to fix it. */
  readonly fix?: string
}

const HOOK = join(import.meta.dirname, '../integrations/hooks/hook.mjs')
/** Work that waits longer than this is stuck, in milliseconds. */
const STUCK_MS = 15 * 60_000
/** Time limit for a hook, in milliseconds. */
const HOOK_MS = 15_000

/** Runs the command. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      ...TARGET_OPTIONS,
      state: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (positionals.length > 0) throw new UsageError(`Unexpected argument "${positionals[0]}".`)
    const state = values.state ? resolve(env.INIT_CWD ?? process.cwd(), values.state) : DEFAULT_STATE
    let faults = 0
    for await (const finding of examine(targetOf(values, env), state, env)) {
      if (finding.state === 'fault') faults++
      process.stdout.write(`${MARKS[finding.state]()} ${finding.text}\n${finding.fix ? `  → ${finding.fix}\n` : ''}`)
    }
    process.stdout.write(faults === 0 ? 'Everything works.\n' : `${plural(faults, 'fault')}.\n`)
    return faults === 0 ? 0 : 1
  } catch (error) {
    return reportUsage(error, 'doctor --')
  }
}

const MARKS = {
  ok: () => style('green', '✓', process.stdout),
  warning: () => style('yellow', '!', process.stdout),
  fault: () => style('red', '✗', process.stdout),
}

/** Checks every part in turn. Skips parts that depend on a failed one. */
export async function* examine(target: Target, state: string, env: NodeJS.ProcessEnv): AsyncGenerator<Finding> {
  const http = createHttpClient({
    url: target.url,
    ...(target.key !== undefined && { key: target.key }),
    attempts: 1,
    timeoutMs: 30_000,
  })
  yield await local(state)
  const coordinator = await health(http, target)
  yield coordinator
  if (coordinator.state !== 'fault') {
    const access = await checkConnection(target, false).then(
      ({ items }) => ({ items }),
      (error: unknown) => ({ error }),
    )
    if ('error' in access) yield faultOf(access.error)
    else {
      yield { state: 'ok', text: 'The key may read, track and report outcomes.' }
      yield* project(http, target, access.items)
      yield* dependencies(http, target)
      yield* engines(http, target)
      yield await checkMcp(target).then(
        (): Finding => ({ state: 'ok', text: 'MCP answers.' }),
        (error: unknown) => faultOf(error),
      )
    }
  }
  yield* hooks(env)
}

async function local(state: string): Promise<Finding> {
  const running = await readInstance(state)
  return running
    ? { state: 'ok', text: `A coordinator runs over ${state} (port ${running.port}).` }
    : { state: 'ok', text: `No local coordinator runs over ${state}.` }
}

async function health(http: HttpClient, target: Target): Promise<Finding> {
  try {
    const { status } = await http.get<{ status?: string }>('/health')
    if (status === 'ok') return { state: 'ok', text: `${target.url} answers.` }
    if (status === undefined)
      return { state: 'fault', text: `${target.url} is not a Hybrid Coordinator.`, fix: 'Check --url.' }
    return {
      state: 'warning',
      text: `${target.url} answers, its health is "${status}".`,
      fix: 'See the dependencies below.',
    }
  } catch (error) {
    return faultOf(explain(error, target))
  }
}

async function* project(http: HttpClient, target: Target, items: number): AsyncGenerator<Finding> {
  if (items === 0) {
    yield {
      state: 'fault',
      text: `Project ${target.project} holds nothing, so no prompt gets context.`,
      fix: `Ingest a folder: npm run ingest -- <folder> --url ${target.url} --project ${target.project}; or choose another project with --project.`,
    }
    return
  }
  yield { state: 'ok', text: `Project ${target.project} holds ${plural(items, 'item')}.` }
  try {
    const [question = 'How is this project built?'] = await testQuestions(http, target.project)
    const started = performance.now()
    const found = await http.post<{ combined_results?: unknown[]; results?: unknown[]; degraded?: string[] }>(
      '/hybrid_search',
      {
        project: target.project,
        query: question,
        limit: 3,
      },
    )
    const milliseconds = Math.round(performance.now() - started)
    const count = (found.combined_results ?? found.results ?? []).length
    const degraded = found.degraded ?? []
    if (count === 0)
      yield {
        state: 'warning',
        text: `Search finds nothing for “${question}”.`,
        fix: 'Ingest the folder again; if that does not help, report it.',
      }
    else yield { state: 'ok', text: `Search answers “${question}” in ${milliseconds} ms.` }
    if (degraded.length > 0)
      yield {
        state: 'warning',
        text: `Search does not cover: ${degraded.join(', ')}.`,
        fix: 'See the dependencies below.',
      }
  } catch (error) {
    yield faultOf(explain(error, target))
  }
}

interface Readiness {
  readonly dependencies: readonly {
    name: string
    uses: string
    required: boolean
    state: string
    error: string | null
  }[]
  readonly queue: { pending: number; dead: number; oldest_ms: number | null } | null
  readonly reembedding?: readonly { collection: string; items: number; pending_vectors?: number }[]
}

async function* dependencies(http: HttpClient, target: Target): AsyncGenerator<Finding> {
  const ready = await http.get<Readiness>('/ready').catch((error: unknown) => {
    // A failed check answers 503, with the same body.
    const body = error instanceof HttpError ? (error.problem as unknown as Partial<Readiness>) : {}
    return Array.isArray(body.dependencies) ? (body as Readiness) : error
  })
  if (ready instanceof Error || typeof ready !== 'object' || ready === null || !('dependencies' in ready)) {
    yield faultOf(explain(ready, target))
    return
  }
  const { dependencies: all, queue, reembedding = [] } = ready as Readiness
  for (const { name, uses, required, state, error } of all) {
    const text = `${name} (${uses}): ${state}${error ? `, ${error}` : ''}`
    if (state === 'ok') yield { state: 'ok', text }
    else
      yield {
        state: required || state === 'down' ? 'fault' : 'warning',
        text,
        fix: required
          ? 'Nothing works without it: see the log.'
          : 'Check that its server runs, its address and its key (docs/engines.md).',
      }
  }
  if (queue === null)
    yield {
      state: 'fault',
      text: 'The state of the background work is not known.',
      fix: 'The database does not respond: see the log.',
    }
  else if (queue.dead > 0)
    yield {
      state: 'warning',
      text: `${plural(queue.dead, 'background job')} failed for good.`,
      fix: `See ${target.url}/#/jobs, and retry or discard them there.`,
    }
  else if ((queue.oldest_ms ?? 0) > STUCK_MS)
    yield {
      state: 'warning',
      text: `Background work waits: ${queue.pending} jobs, the oldest for ${Math.round((queue.oldest_ms ?? 0) / 60_000)} minutes.`,
      fix: 'It may be paused: POST /learning/control shows it.',
    }
  else yield { state: 'ok', text: 'Background work is up to date.' }
  for (const { collection, items, pending_vectors } of reembedding)
    yield {
      state: 'warning',
      text: `${collection}: ${plural(pending_vectors ?? items, 'item')} of ${items} wait for vectors; until then they are found by their words.`,
    }
}

interface Asked {
  readonly name: string
  readonly uses: string
  readonly error: string | null
  readonly answer: string | null
  readonly latency_ms: number
}

/** Sends one real request to every engine, because a running server doesn't necessarily work. */
async function* engines(http: HttpClient, target: Target): AsyncGenerator<Finding> {
  try {
    const { engines: asked } = await http.post<{ engines: Asked[] }>('/engines/ask', { project: target.project })
    for (const { name, uses, error, answer, latency_ms } of asked) {
      const text = `Asked ${name} (${uses}): ${error ?? `${answer}, in ${latency_ms} ms`}`
      yield error === null
        ? { state: 'ok', text }
        : { state: 'fault', text, fix: 'Until it responds, the coordinator works without it (docs/engines.md).' }
    }
  } catch (error) {
    if (error instanceof HttpError && error.status === 403)
      yield { state: 'warning', text: 'The engines were not asked: that needs an admin key.' }
    // An older coordinator without this operation.
    else if (!(error instanceof HttpError) || error.status !== 404) yield faultOf(explain(error, target))
  }
}

/** Runs the session-start hooks of every connected agent, and counts deliveries that failed. */
async function* hooks(env: NodeJS.ProcessEnv): AsyncGenerator<Finding> {
  const home = env.HOME || homedir()
  const folder = configFolder(env, home)
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json'))
  if (files.length === 0)
    yield {
      state: 'ok',
      text: 'No agent is connected through hooks.',
      fix: 'Connect one: npm run connect -- claude-code --dir <folder>',
    }
  for (const file of files) {
    const client = file.replace(/-[^-]+\.json$/, '')
    const path = join(folder, file)
    const said = await runHook(client, path, env)
    const { HYBRID_URL: url, HYBRID_PROJECT: name } = JSON.parse(
      (await readFile(path, 'utf8').catch(() => '')) || '{}',
    ) as Record<string, string>
    const about = `Hooks of ${client} (${url}, project ${name})`
    if (said === '') yield { state: 'ok', text: `${about} answer.` }
    else yield { state: 'fault', text: `${about}: ${said}` }
  }
  const cache = join(env.XDG_CACHE_HOME || join(home, '.cache'), 'hybrid-coordinator')
  for (const client of await readdir(cache).catch(() => [])) {
    const kept = (await readdir(join(cache, client)).catch(() => [])).filter((name) => name.startsWith('undelivered-'))
    if (kept.length > 0)
      yield {
        state: 'warning',
        text: `${plural(kept.length, 'turn')} of ${client} could not be delivered; each is sent with a later one.`,
      }
  }
}

/** @returns the hook's message to the user; empty if everything is in order */
function runHook(client: string, file: string, env: NodeJS.ProcessEnv): Promise<string> {
  const event = { hook_event_name: 'SessionStart', session_id: 'doctor', source: 'startup' }
  return new Promise((done) => {
    const child = spawn(process.execPath, [HOOK, client, file], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: HOOK_MS,
    })
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    child.on('error', (error) => done(error.message))
    child.on('close', (code) => {
      if (code !== 0) return done(`the program ended with code ${code}`)
      try {
        done(output === '' ? '' : String((JSON.parse(output) as { systemMessage?: string }).systemMessage ?? ''))
      } catch {
        done('the program printed what is no JSON')
      }
    })
    child.stdin.end(JSON.stringify(event))
  })
}

function faultOf(error: unknown): Finding {
  if (error instanceof TargetError) return { state: 'fault', text: error.message, fix: error.fix }
  return { state: 'fault', text: error instanceof Error ? error.message : String(error) }
}

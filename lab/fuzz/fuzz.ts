/**
 * `fuzz`: sends thousands of valid and mutated requests, generated from the coordinator's own schemas, over REST and
 * MCP.
 * @module
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { count, style } from '../../cli/shared/terminal.ts'
import type { Schema } from '../../test/fuzz/generate.ts'
import { harvest, type Pool } from '../../test/fuzz/pool.ts'
import { isFault, isMisnamed, isRefusal, type Shot, shoot, type Target } from '../../test/fuzz/requests.ts'
import { MAX_TIMES_MEDIAN, WorkSample } from './work.ts'

const HELP = `Usage: npm run --prefix lab fuzz -- [options]

Starts a coordinator, makes requests from its own schemas, bends half of them, and checks that none is answered with a server
error, none hangs twice, none that is refused changes what is stored, no refusal is longer than 8 KiB, and none costs more than 100 times the
median of the requests of its size.

Options
  --requests N   default 20000
  --seed N       default 1; the same seed makes the same requests, but for the ids that answers have named
  -h, --help     print this
`

/** Requests without an answer after this time count as hanging, in milliseconds. */
const HANG_MS = 20_000
/** Maximum size of an error answer, in bytes, independent of the size of the request. */
const MAX_REFUSAL = 8_192
/** Number of requests between two checks of the stored data, in which the rejected requests are sent again. */
const BATCH = 200
/** Stored data that only requests change. */
const STATE = [
  '/collections',
  '/interactions?limit=100',
  '/keys?limit=100',
  '/learning/datasets',
  '/knowledge/documents?source=fuzz',
]

interface Answer {
  status: number
  body: string
  /** Whether it needed a second connection. */
  renewed?: boolean
}

/** Runs the command. Exit codes: 0 no findings, 1 findings, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      requests: { type: 'string' },
      seed: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    // Rejected messages would be logged as warnings, thousands of them.
    const worker = await startLocalWorker({ variables: { LOG_LEVEL: 'error' } })
    try {
      return await fuzz(worker.url, Number(values.requests ?? 20_000), Number(values.seed ?? 1))
    } finally {
      await worker.stop()
    }
  } catch (error) {
    return reportUsage(error, '--prefix lab fuzz --')
  }
}

async function fuzz(url: string, requests: number, seed: number): Promise<number> {
  const random = seeded(seed)
  // A separate generator, so that the sampling of answers doesn't affect the requests.
  const keeping = seeded(~seed)
  const pauses = monitorEventLoopDelay({ resolution: 20 })
  pauses.enable()
  const targets = await targetsOf(url)
  const pool: Pool = {
    ids: ['0190b6f0-0000-7000-8000-000000000000'],
    contextIds: ['best-practices/0190b6f0-0000-7000-8000-000000000000'],
  }
  const progress = new Progress({ noun: 'requests', total: requests })
  const found: string[] = []
  const unanswered: Shot[] = []
  const work = new WorkSample<Shot>(seeded(seed + 1))
  const tally = { REST: 0, MCP: 0, refused: 0, misnamed: 0, renewed: 0, slowest: 0 }
  for (let sent = 0; sent < requests; sent += BATCH) {
    const shots = Array.from({ length: Math.min(BATCH, requests - sent) }, () => shoot(targets, pool, random))
    const refused: Shot[] = []
    await inParallel(shots, async (shot) => {
      const started = performance.now()
      const answer = await send(url, shot)
      const ms = performance.now() - started
      tally.slowest = Math.max(tally.slowest, ms)
      if (answer) work.note(shot, sizeOf(shot), ms)
      tally[shot.surface]++
      // A machine that stalls for a moment is no fault of the coordinator: such a request is sent again, alone, at the end.
      if (!answer) unanswered.push(shot)
      const fault = faultOf(answer)
      if (answer && fault) found.push(`${fault}: ${describe(shot)}`)
      if (answer?.renewed) tally.renewed++
      if (answer && isMisnamed(answer.body)) tally.misnamed++
      if (answer && isRefusal(answer.status, answer.body)) {
        refused.push(shot)
        if (answer.body.length > MAX_REFUSAL) found.push(`a refusal of ${answer.body.length} bytes: ${describe(shot)}`)
      } else if (answer) harvest(answer.body, pool, keeping)
    })
    const changed = await replay(url, refused)
    if (changed) found.push(`a refused request changed what is stored: ${changed}`)
    tally.refused += refused.length
    progress.update(sent + shots.length, `${tally.refused} refused`)
  }
  for (const shot of unanswered) {
    const fault = faultOf(await send(url, shot))
    if (fault) found.push(`${fault}, twice: ${describe(shot)}`)
  }
  const dearest = await overworked(url, work, found)
  process.stdout.write(
    `\n${count(requests)} requests of ${targets.length} operations (${count(tally.REST)} REST, ${count(tally.MCP)} MCP), seed ${seed}: ` +
      `${count(tally.refused)} refused, and sent again between two looks at what is stored; slowest answer ` +
      `${(tally.slowest / 1000).toFixed(2)} s, longest pause of the fuzzer itself ${(pauses.max / 1e9).toFixed(2)} s; ${count(tally.renewed)} sent again over a new connection; ${count(unanswered.length)} without an answer within ${HANG_MS / 1000} s that were sent again alone; ${count(tally.misnamed)} invalid messages that the MCP library itself names an internal error\n${dearest}\n`,
  )
  for (const line of found.slice(0, 20)) process.stdout.write(`${style('red', line)}\n`)
  process.stdout.write(
    found.length === 0
      ? 'No server error, no hang, no change by a refused request, no work out of proportion.\n'
      : `${found.length} findings\n`,
  )
  return found.length === 0 ? 0 : 1
}

/**
 * Measures slow requests again, adds excessive ones to the findings, and describes the request with the worst ratio.
 */
async function overworked(url: string, work: WorkSample<Shot>, found: string[]): Promise<string> {
  let project = 0
  const costs = await work.costs(async (shot) => {
    // In a new project, because stored content would not be indexed again.
    const fresh = { ...shot, body: shot.body?.replaceAll('"fuzz"', `"fuzz-${project++}"`) ?? null }
    const started = performance.now()
    await send(url, fresh)
    return performance.now() - started
  })
  const lines = costs
    .sort((a, b) => b.timesMedian - a.timesMedian)
    .map(({ request, bytes, medianMs, ms, timesMedian }) => ({
      timesMedian,
      line: `${timesMedian.toFixed(1)} times the median of its size (${ms.toFixed(0)} ms; from ${count(bytes)} bytes on the median is ${medianMs.toFixed(1)} ms): ${describe(request)}`,
    }))
  for (const { timesMedian, line } of lines) if (timesMedian > MAX_TIMES_MEDIAN) found.push(`work: ${line}`)
  return `Most work for its size, of ${costs.length} sizes: ${lines[0]?.line ?? 'none'}`
}

function sizeOf({ path, body }: Shot): number {
  return path.length + Buffer.byteLength(body ?? '')
}

/** Number of concurrent requests. */
const PARALLEL = 6

async function inParallel<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const waiting = list.values()
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (const one of waiting) await work(one)
    }),
  )
}

/** Maximum size of a body, in bytes, as allowed by the default of MAX_BODY_BYTES. */
const MAX_BODY = 4 * 1024 * 1024

/**
 * Null: no answer in time. The server may close a persistent connection just as it is used again; such a request is
 * sent once more (RFC 9112, section 9.3.1), and only a second failure is a finding.
 */
async function send(url: string, shot: Shot, again = true): Promise<Answer | null> {
  try {
    const response = await fetch(url + shot.path, {
      method: shot.method,
      headers: shot.headers,
      body: shot.body === null || shot.method === 'HEAD' ? undefined : shot.body,
      signal: AbortSignal.timeout(HANG_MS),
      redirect: 'manual',
    })
    return { status: response.status, body: await response.text() }
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') return null
    // A body far above the limit is rejected before it is read, so the connection ends during the upload.
    if (Buffer.byteLength(shot.body ?? '') > MAX_BODY) return { status: 413, body: '' }
    if (again) {
      const second = await send(url, shot, false)
      return second && { ...second, renewed: true }
    }
    const cause = error instanceof Error ? error.cause : undefined
    return { status: 500, body: `the connection broke: ${String(error)} ${cause === undefined ? '' : String(cause)}` }
  }
}

function faultOf(answer: Answer | null): string | null {
  if (answer === null) return `no answer within ${HANG_MS / 1000} s`
  return isFault(answer.status, answer.body) ? `server error ${answer.status} ${answer.body.slice(0, 300)}` : null
}

/** The changes caused by repeating rejected requests; null: none. Waits for background work to end. */
async function replay(url: string, refused: readonly Shot[]): Promise<string | null> {
  let shots = [...refused]
  for (let attempt = 0; shots.length > 0; attempt++) {
    const before = await stateOf(url)
    const again: Shot[] = []
    await inParallel(shots, async (shot) => {
      const answer = await send(url, shot)
      if (!answer || isRefusal(answer.status, answer.body)) again.push(shot)
    })
    if ((await stateOf(url)) === before) return null
    // A request that is accepted now, because the thing it names exists now, may have changed something: repeat the
    // others.
    if (again.length === shots.length && attempt >= 3) return shots.map(describe).join('; ').slice(0, 500)
    shots = again
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return null
}

async function stateOf(url: string): Promise<string> {
  const parts: string[] = []
  for (const path of STATE) {
    const response = await fetch(
      `${url}${path}${path === '/keys?limit=100' ? '' : `${path.includes('?') ? '&' : '?'}project=fuzz`}`,
    )
    if (!response.ok) throw new Error(`${path} answers ${response.status}`)
    parts.push(await response.text())
  }
  return parts.join('\n')
}

interface OpenApi {
  paths: Record<string, Record<string, { operationId: string }>>
  components: { schemas: Record<string, Schema> }
}

/** Every operation with its route and schema, from the coordinator's description. */
async function targetsOf(url: string): Promise<Target[]> {
  const { paths, components } = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({
      name: operationId,
      route: { method: method.toUpperCase(), path },
    })),
  )
  return routes.flatMap(({ name, route }) => {
    const input = components.schemas[`${name}_input`]
    // Pausing background work, or a budget of 0, would block the effects of other requests.
    return input && name !== 'control_learning' ? [{ name, route, input, tool: !/_keys?$|_audit_log$/.test(name) }] : []
  })
}

function describe({ surface, operation, method, path, body }: Shot): string {
  return `${surface} ${operation} ${method} ${path.slice(0, 200)} ${(body ?? '').slice(0, 300)}`
}

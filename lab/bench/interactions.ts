/**
 * Measures tracking, outcomes, statistics and routing by the number of interactions in the database.
 * @module
 */
import { createHttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { trainRouter } from '../train-router.ts'
import { type Effort, type Load, measure, type Target } from './load.ts'
import { post } from './requests.ts'
import type { Measurement } from './results.ts'
import { addInteractions, seededId, withoutOutcome } from './seed.ts'
import { BENCH_VARIABLES } from './variables.ts'

const TEXT = 'How do I make the retry policy give up after three attempts?'
/** Maximum number of interactions whose outcomes are reported. */
const MAX_REPORTED = 20_000

interface Filled {
  readonly size: number
  readonly worker: LocalWorker
}

/** Fills one database per size and measures them alternately. */
export async function benchInteractions(
  baseline: LocalWorker,
  sizes: readonly number[],
  effort: Effort,
  connections: readonly number[],
): Promise<Measurement[]> {
  const filled: Filled[] = []
  try {
    await createHttpClient({ url: baseline.url }).post('/prepare', {})
    for (const size of sizes) {
      const worker = await startLocalWorker({ variables: BENCH_VARIABLES })
      filled.push({ size, worker })
      await addInteractions(worker, size)
      await trainRouter(createHttpClient({ url: worker.url, timeoutMs: 120_000 }), 'default')
    }
    const found: Measurement[] = []
    for (const at of connections) {
      for (const [operation, targetOf, baseOf] of OPERATIONS) {
        const targets = filled.map((one) => targetOf(one))
        const base = baseOf(baseline.url)
        const [beside, ...loads] = (await measure([base, ...targets], at, effort)) as [Load, ...Load[]]
        for (const [i, load] of loads.entries()) {
          const size = filled[i]?.size ?? 0
          found.push({ operation, connections: at, size, load, baseline: { name: base.name, load: beside } })
        }
      }
    }
    return found
  } finally {
    for (const { worker } of filled) await worker.stop()
  }
}

const insert = (url: string): Target => ({
  name: 'bare D1 insert',
  url,
  next: () => post('/insert', { query: TEXT }),
})
const route = (url: string): Target => ({ name: 'bare Hono route', url, next: () => post('/bare', { query: TEXT }) })

const OPERATIONS: readonly [operation: string, target: (filled: Filled) => Target, base: (url: string) => Target][] = [
  ['track_interaction', trackTarget, insert],
  ['update_outcome', outcomeTarget, insert],
  [
    'stats',
    ({ worker, size }) => ({
      name: `stats, ${size}`,
      url: worker.url,
      next: () => ({ method: 'GET', path: '/stats?project=default' }),
    }),
    route,
  ],
  [
    'routing decision',
    ({ worker, size }) => ({
      name: `routing decision, ${size}`,
      url: worker.url,
      next: () => post('/routing/estimate', { project: 'default', queries: [TEXT] }),
    }),
    route,
  ],
]

function trackTarget({ worker, size }: Filled): Target {
  const body = { project: 'default', query: TEXT, response: TEXT, agent_type: 'remote', model_used: 'bench' }
  return { name: `track_interaction, ${size}`, url: worker.url, next: () => post('/track_interaction', body) }
}

/** Reports on interactions without an outcome. If all have one, each report changes it to the other outcome. */
function outcomeTarget({ worker, size }: Filled): Target {
  const open = Array.from({ length: size }, (_, i) => i)
    .filter(withoutOutcome)
    .slice(-MAX_REPORTED)
  let sent = 0
  return {
    name: `update_outcome, ${size}`,
    url: worker.url,
    next: () => {
      const outcome = Math.floor(sent / open.length) % 2 === 0 ? 'success' : 'failure'
      return post('/update_outcome', { interaction_id: seededId(open[sent++ % open.length] ?? 0), outcome })
    },
  }
}

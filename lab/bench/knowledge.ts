/**
 * Measures search and augmentation by collection size, the first request after a restart, and the memory of the index.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { type Effort, type Load, measure, type Target } from './load.ts'
import { cycle, post, tool } from './requests.ts'
import type { IndexCost, Measurement } from './results.ts'
import { type BenchItem, packageTexts, questions } from './texts.ts'
import { BENCH_VARIABLES } from './variables.ts'
import { freePort, isolateBytes } from './workerd.ts'

const COLLECTION = 'codebase-context'
const BATCH = 200
const QUESTIONS = 500
/** Number of searches between building an index and measuring its memory. */
const SETTLING = 50

const projectOf = (items: number) => `bench-${items}`

/** Fills one project per size and measures them alternately, then restarts from the same disk. */
export async function benchKnowledge(
  bare: { readonly route: Target; readonly tool: Target },
  sizes: readonly number[],
  effort: Effort,
  connections: readonly number[],
): Promise<{ knowledge: Measurement[]; index: IndexCost[] }> {
  const state = await mkdtemp(join(tmpdir(), 'hybrid-bench-'))
  try {
    const items = await packageTexts(Math.max(...sizes))
    const worker = await startLocalWorker({ stateFolder: state, variables: BENCH_VARIABLES })
    const knowledge: Measurement[] = []
    try {
      for (const size of sizes) await store(worker.url, projectOf(size), items.slice(0, size))
      for (const at of connections) knowledge.push(...(await measureSizes(worker.url, bare, sizes, items, at, effort)))
    } finally {
      await worker.stop()
    }
    const index: IndexCost[] = []
    for (const size of sizes) index.push(await restart(state, size, questions(items.slice(0, size), 1)[0] ?? ''))
    return { knowledge, index }
  } finally {
    await rm(state, { recursive: true, force: true })
  }
}

async function measureSizes(
  url: string,
  bare: { readonly route: Target; readonly tool: Target },
  sizes: readonly number[],
  items: readonly BenchItem[],
  connections: number,
  effort: Effort,
): Promise<Measurement[]> {
  const found: Measurement[] = []
  for (const operation of ['augment_query', 'hybrid_search']) {
    for (const surface of ['REST', 'MCP'] as const) {
      const base = surface === 'REST' ? bare.route : bare.tool
      const targets = sizes.map((size): Target => {
        const body = { project: projectOf(size), collections: [COLLECTION] }
        const asked = questions(items.slice(0, size), QUESTIONS)
        return {
          name: `${operation} over ${surface}, ${size} items`,
          url,
          next: cycle(asked, (query) =>
            surface === 'REST' ? post(`/${operation}`, { ...body, query }) : tool(operation, { ...body, query }),
          ),
        }
      })
      const [beside, ...loads] = (await measure([base, ...targets], connections, effort)) as [Load, ...Load[]]
      for (const [i, load] of loads.entries()) {
        const baseline = { name: base.name, load: beside }
        found.push({ operation: `${operation} over ${surface}`, connections, size: sizes[i] ?? 0, load, baseline })
      }
    }
  }
  return found
}

/** The first request to a Worker that has just started with a filled disk. */
async function restart(stateFolder: string, items: number, query: string): Promise<IndexCost> {
  const inspectorPort = await freePort()
  const worker = await startLocalWorker({ stateFolder, inspectorPort, variables: BENCH_VARIABLES })
  try {
    const http = createHttpClient({ url: worker.url })
    const ask = async (project: string) => {
      const started = performance.now()
      await http.post('/augment_query', { project, collections: [COLLECTION], query })
      return performance.now() - started
    }
    // One-time costs of every request, independent of the index, are incurred before memory is measured; their time is
    // not included.
    const empty = await ask('bench-none')
    const before = await isolateBytes(inspectorPort)
    const cold = await ask(projectOf(items))
    const warm = await ask(projectOf(items))
    // Searches create garbage, so that V8 collects what building the index left behind.
    for (let i = 0; i < SETTLING; i++) await ask(projectOf(items))
    const memory = (await isolateBytes(inspectorPort)) - before
    return { items, cold_ms: empty + cold, warm_ms: warm, memory_bytes: memory }
  } finally {
    await worker.stop()
  }
}

async function store(url: string, project: string, items: readonly BenchItem[]): Promise<void> {
  const http = createHttpClient({ url, timeoutMs: 120_000 })
  const progress = new Progress({ noun: `items of ${project}`, total: items.length })
  for (let start = 0; start < items.length; start += BATCH) {
    await http.post('/knowledge/items', { project, collection: COLLECTION, items: items.slice(start, start + BATCH) })
    progress.update(Math.min(items.length, start + BATCH), '')
  }
  progress.finish()
}

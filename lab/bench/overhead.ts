/**
 * The overhead of the surfaces: the product's cheapest calls compared with a minimal route, a minimal tool and a
 * minimal list of the same tools.
 * @module
 */
import { join } from 'node:path'
import { type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { type Effort, type Load, measure, type Target } from './load.ts'
import { mcp, post, tool } from './requests.ts'
import type { Measurement } from './results.ts'

const TEXT = 'How do I make the retry policy give up after three attempts?'

/** Starts the Worker with the baselines. */
export function startBaseline(): Promise<LocalWorker> {
  return startLocalWorker({ entry: join(import.meta.dirname, './baseline/worker.ts') })
}

/** The minimal route and the minimal tool, as targets. */
export function bareTargets(url: string): { route: Target; tool: Target } {
  return {
    route: { name: 'bare Hono route', url, next: () => post('/bare', { query: TEXT }) },
    tool: { name: 'bare SDK tool', url, next: () => tool('status', {}) },
  }
}

/** Measures health, tools/call and tools/list against their baselines. */
export async function benchOverhead(
  baseline: LocalWorker,
  effort: Effort,
  connections: readonly number[],
): Promise<Measurement[]> {
  const product = await startLocalWorker()
  try {
    const bare = bareTargets(baseline.url)
    const pairs: [target: Target, base: Target][] = [
      [{ name: 'health over REST', url: product.url, next: () => ({ method: 'GET', path: '/health' }) }, bare.route],
      [{ name: 'health over MCP', url: product.url, next: () => tool('check_health', {}) }, bare.tool],
      [
        { name: 'tools/list', url: product.url, next: () => mcp('tools/list') },
        { name: 'bare SDK tools/list, same tools', url: baseline.url, next: () => mcp('tools/list', {}, '/mcp-all') },
      ],
    ]
    const found: Measurement[] = []
    for (const at of connections) {
      for (const [target, base] of pairs) {
        const [load, beside] = (await measure([target, base], at, effort)) as [Load, Load]
        found.push({ operation: target.name, connections: at, load, baseline: { name: base.name, load: beside } })
      }
    }
    return found
  } finally {
    await product.stop()
  }
}

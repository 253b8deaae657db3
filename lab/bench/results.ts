/**
 * The results of a benchmark run.
 * @module
 */
import type { Load } from './load.ts'

/** One operation under one load, with its baseline. */
export interface Measurement {
  readonly operation: string
  readonly connections: number
  /** Number of existing knowledge items or interactions. Omitted if irrelevant. */
  readonly size?: number
  readonly load: Load
  readonly baseline: { readonly name: string; readonly load: Load }
}

/** One-time costs of the embedded index. */
export interface IndexCost {
  /** Number of items in the collection. */
  readonly items: number
  /** Milliseconds of the first augment_query after a restart, and of the same question repeated. */
  readonly cold_ms: number
  readonly warm_ms: number
  /** Growth of the isolate's memory with the index, including garbage: an upper bound. */
  readonly memory_bytes: number
}

export interface BenchReport {
  readonly at: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memory_gb: number
    readonly platform: string
  }
  readonly versions: Readonly<Record<string, string>>
  readonly seconds: number
  readonly rounds: number
  readonly overhead: readonly Measurement[]
  readonly knowledge: readonly Measurement[]
  readonly index: readonly IndexCost[]
  readonly interactions: readonly Measurement[]
  readonly ratios: Readonly<Record<string, number | null>>
}

/** p50 of a measurement; undefined if it doesn't exist. */
function p50(list: readonly Measurement[], operation: string, size?: number): number | undefined {
  return list.find((entry) => entry.operation === operation && entry.connections === 1 && entry.size === size)?.load
    .p50_ms
}

/** Ratio of two times; null if one is missing. */
function ratio(a: number | undefined, b: number | undefined): number | null {
  return a === undefined || b === undefined || b === 0 ? null : a / b
}

/** p50 of a measurement divided by that of its baseline, for sequential requests. */
export function overBaseline(list: readonly Measurement[], operation: string, size?: number): number | null {
  const entry = list.find((one) => one.operation === operation && one.connections === 1 && one.size === size)
  return entry ? ratio(entry.load.p50_ms, entry.baseline.load.p50_ms) : null
}

/** The product's target figures: ratios of p50 for sequential requests within one run. */
export function ratiosOf(
  overhead: readonly Measurement[],
  knowledge: readonly Measurement[],
  interactions: readonly Measurement[],
): Record<string, number | null> {
  const grown = (operation: string) =>
    ratio(p50(interactions, operation, 1_000_000), p50(interactions, operation, 10_000))
  const overSizes = (list: readonly Measurement[], operation: string) => {
    const sizes = [...new Set(list.flatMap(({ size }) => size ?? []))].sort((a, b) => a - b)
    return ratio(p50(list, operation, sizes.at(-1)), p50(list, operation, sizes[0]))
  }
  return {
    rest_over_hono: overBaseline(overhead, 'health over REST'),
    mcp_over_sdk: overBaseline(overhead, 'health over MCP'),
    tools_list_over_sdk: overBaseline(overhead, 'tools/list'),
    augment_50k_over_5k: ratio(
      p50(knowledge, 'augment_query over REST', 50_000),
      p50(knowledge, 'augment_query over REST', 5_000),
    ),
    search_50k_over_5k: ratio(
      p50(knowledge, 'hybrid_search over REST', 50_000),
      p50(knowledge, 'hybrid_search over REST', 5_000),
    ),
    augment_largest_over_smallest: overSizes(knowledge, 'augment_query over REST'),
    track_over_insert: overBaseline(interactions, 'track_interaction', 10_000),
    track_1m_over_10k: grown('track_interaction'),
    outcome_1m_over_10k: grown('update_outcome'),
    stats_1m_over_10k: grown('stats'),
    decision_1m_over_10k: grown('routing decision'),
    track_largest_over_smallest: overSizes(interactions, 'track_interaction'),
  }
}

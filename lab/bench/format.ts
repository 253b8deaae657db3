/**
 * Formats a benchmark run as text, alone or compared with an earlier one. Pure.
 * @module
 */
import type { Load } from './load.ts'
import type { BenchReport, IndexCost, Measurement } from './results.ts'

/** Tables of all measurements. */
export function formatReport(report: BenchReport): string {
  const { machine } = report
  return [
    `${machine.cores} × ${machine.cpu}, ${machine.memory_gb} GB, ${machine.platform}; ${Object.entries(report.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `${report.rounds} rounds of ${report.seconds} s each, in turn with the baseline; milliseconds`,
    '',
    ...table('What the surfaces cost', report.overhead),
    ...table('Search and augmentation', report.knowledge),
    ...indexTable(report.index),
    ...table('Tracking, outcomes, statistics, routing', report.interactions),
    'Ratios of medians, one request at a time',
    ...Object.entries(report.ratios).map(([name, value]) => `  ${name.padEnd(34)}${number(value)}`),
    '',
  ].join('\n')
}

/**
 * Ratios of this run next to those of an earlier one. Each ratio was measured within its own run, so machines may
 * differ.
 */
export function formatComparison(now: BenchReport, before: BenchReport): string {
  const names = [...new Set([...Object.keys(now.ratios), ...Object.keys(before.ratios)])]
  const rows = names.map((name) => {
    const [a, b] = [now.ratios[name] ?? null, before.ratios[name] ?? null]
    const change = a !== null && b !== null && b > 0 ? `${(100 * (a / b - 1)).toFixed(0).padStart(6)} %` : ''
    return `  ${name.padEnd(34)}${number(b)}${number(a)}${change.padStart(10)}`
  })
  return [`  ${'ratio'.padEnd(34)}${'before'.padStart(9)}${'now'.padStart(9)}    change`, ...rows, ''].join('\n')
}

const COLUMNS = ['req/s', 'p50', 'p95', 'p99', 'base p50', 'ratio']

function table(title: string, list: readonly Measurement[]): string[] {
  if (list.length === 0) return []
  const head = `  ${'operation'.padEnd(28)}${'size'.padStart(10)}${'at once'.padStart(9)}${COLUMNS.map((name) => name.padStart(9)).join('')}  baseline`
  return [title, head, ...list.map(row), '']
}

function row({ operation, size, connections, load, baseline }: Measurement): string {
  const figures = [
    load.per_second,
    load.p50_ms,
    load.p95_ms,
    load.p99_ms,
    baseline.load.p50_ms,
    timesOf(load, baseline.load),
  ]
  return `  ${operation.padEnd(28)}${(size ?? '').toString().padStart(10)}${connections.toString().padStart(9)}${figures.map(number).join('')}  ${baseline.name}`
}

function timesOf(load: Load, base: Load): number | null {
  return base.p50_ms > 0 ? load.p50_ms / base.p50_ms : null
}

function indexTable(list: readonly IndexCost[]): string[] {
  if (list.length === 0) return []
  return [
    'The first augment_query after a restart, and what the index holds in memory',
    `  ${'items'.padEnd(28)}${'first'.padStart(10)}${'again'.padStart(9)}${'memory'.padStart(12)}`,
    ...list.map(
      ({ items, cold_ms, warm_ms, memory_bytes }) =>
        `  ${items.toString().padEnd(28)}${cold_ms.toFixed(0).padStart(10)}${number(warm_ms)}${`${(memory_bytes / 1e6).toFixed(0)} MB`.padStart(12)}`,
    ),
    '',
  ]
}

function number(value: number | null): string {
  if (value === null) return '–'.padStart(9)
  return (value >= 100 ? value.toFixed(0) : value.toFixed(2)).padStart(9)
}

/**
 * The Prometheus text exposition format, version 0.0.4. Pure functions.
 * @module
 */

/**
 * One metric with its samples. Labels must come from a fixed set of values: each combination creates a permanent time
 * series.
 */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

/**
 * Formats metrics as text. A metric without samples is omitted. A value that isn't finite is written as NaN, +Inf or
 * -Inf.
 */
export function prometheusText(metrics: readonly Metric[]): string {
  let text = ''
  for (const { name, help, type, samples } of metrics) {
    if (samples.length === 0) continue
    text += `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`
    for (const { labels = {}, value } of samples) text += `${name}${labelText(labels)} ${valueText(value)}\n`
  }
  return text
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

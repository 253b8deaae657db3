/**
 * Draws the results of a benchmark run as SVG. Pure.
 * @module
 */
import type { BenchReport, Measurement } from './results.ts'

const PANEL = { width: 460, height: 300, left: 60, top: 50, gap: 110 }
const COLOURS = ['#2563eb', '#d97706', '#059669', '#7c3aed', '#dc2626']
const FONT = 'font-family="system-ui, sans-serif"'

interface Series {
  readonly name: string
  readonly points: readonly (readonly [size: number, milliseconds: number])[]
}

/**
 * Median time of sequential requests, by size; both axes logarithmic. The dashed lines are the baselines of the same
 * run.
 */
export function plotReport(report: BenchReport): string {
  const panels = [
    panel('Knowledge items', seriesOf(report.knowledge), baselinesOf(report.knowledge), 0),
    panel('Interactions', seriesOf(report.interactions), baselinesOf(report.interactions), 1),
  ]
  const width = 2 * PANEL.left + 2 * PANEL.width + PANEL.gap
  const height = PANEL.top + PANEL.height + 170
  const caption = `${report.machine.cores} × ${report.machine.cpu}, workerd ${report.versions.workerd ?? ''}, ${report.at.slice(0, 10)}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>Milliseconds of one request by size, median, one at a time, beside a bare route</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${PANEL.left}" y="24" ${FONT} font-size="15" fill="#111827">Milliseconds of one request, median, one at a time</text>
<text x="${PANEL.left}" y="${height - 12}" ${FONT} font-size="11" fill="#6b7280">${xml(caption)}</text>
${panels.join('\n')}
</svg>
`
}

function seriesOf(list: readonly Measurement[]): Series[] {
  const single = list.filter(({ connections, size }) => connections === 1 && size !== undefined)
  return [...Map.groupBy(single, ({ operation }) => operation)].map(([name, entries]) => ({
    name,
    points: entries.map(({ size = 0, load }) => [size, load.p50_ms] as const).sort((a, b) => a[0] - b[0]),
  }))
}

function baselinesOf(list: readonly Measurement[]): Map<string, number> {
  const single = list.filter(({ connections }) => connections === 1)
  return new Map(single.map(({ baseline }) => [baseline.name, baseline.load.p50_ms]))
}

function panel(
  title: string,
  series: readonly Series[],
  baselines: ReadonlyMap<string, number>,
  place: number,
): string {
  const points = series.flatMap(({ points }) => points)
  if (points.length === 0) return ''
  const left = PANEL.left + place * (PANEL.width + PANEL.gap)
  const bottom = PANEL.top + PANEL.height
  const sizes = [...new Set(points.map(([size]) => size))].sort((a, b) => a - b)
  const times = [...points.map(([, time]) => time), ...baselines.values()].filter((time) => time > 0)
  const x = scale(Math.min(...sizes), Math.max(...sizes), left, left + PANEL.width)
  const y = scale(Math.min(...times) / 1.5, Math.max(...times) * 1.5, bottom, PANEL.top)
  const parts = [
    `<rect x="${left}" y="${PANEL.top}" width="${PANEL.width}" height="${PANEL.height}" fill="none" stroke="#d1d5db"/>`,
    label(left + PANEL.width / 2, bottom + 38, title, 'middle', 12),
    ...sizes.map((size) => label(x(size), bottom + 18, short(size), 'middle', 11)),
    ...ticks(Math.min(...times) / 1.5, Math.max(...times) * 1.5).flatMap((time) => [
      `<line x1="${left}" x2="${left + PANEL.width}" y1="${y(time)}" y2="${y(time)}" stroke="#f3f4f6"/>`,
      label(left - 8, y(time) + 4, String(time), 'end', 11),
    ]),
  ]
  for (const [i, { name, points }] of series.entries()) {
    const colour = COLOURS[i % COLOURS.length]
    const line = points.map(([size, time]) => `${x(size).toFixed(1)},${y(time).toFixed(1)}`)
    parts.push(`<polyline points="${line.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`)
    parts.push(
      ...line.map((at) => `<circle cx="${at.split(',')[0]}" cy="${at.split(',')[1]}" r="3" fill="${colour}"/>`),
    )
    parts.push(legend(left, bottom + 58 + 16 * i, name, `stroke="${colour}"`))
  }
  for (const [i, [name, time]] of [...baselines].entries()) {
    const dash = `stroke="#6b7280" stroke-dasharray="${2 + 3 * i} 3"`
    parts.push(`<line x1="${left}" x2="${left + PANEL.width}" y1="${y(time)}" y2="${y(time)}" ${dash}/>`)
    parts.push(legend(left + PANEL.width / 2 + 20, bottom + 58 + 16 * i, name, dash))
  }
  return parts.join('\n')
}

function scale(from: number, to: number, start: number, end: number): (value: number) => number {
  const span = Math.log(to) - Math.log(from)
  return (value) =>
    span === 0 ? (start + end) / 2 : start + ((Math.log(value) - Math.log(from)) / span) * (end - start)
}

/** 1, 2 and 5 of each power of ten between two bounds. */
function ticks(from: number, to: number): number[] {
  const found: number[] = []
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) {
    for (const digit of [1, 2, 5]) {
      const value = Number(`${digit}e${power}`)
      if (value >= from && value <= to) found.push(value)
    }
  }
  return found
}

function short(size: number): string {
  return size >= 1e6 ? `${size / 1e6}M` : size >= 1e3 ? `${size / 1e3}k` : String(size)
}

function label(x: number, y: number, text: string, anchor: string, size: number): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${FONT} font-size="${size}" fill="#374151">${xml(text)}</text>`
}

function legend(x: number, y: number, text: string, stroke: string): string {
  return `<line x1="${x}" x2="${x + 22}" y1="${y - 4}" y2="${y - 4}" stroke-width="2" ${stroke}/>${label(x + 28, y, text, 'start', 11)}`
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

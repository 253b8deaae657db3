/**
 * Reliability of probabilities: predictions compared with outcomes (Murphy and Winkler 1977, "Reliability of Subjective
 * Probability Forecasts of Precipitation and Temperature"). Pure functions.
 * @module
 */

/** Predictions in one tenth of the range. */
export interface ReliabilityBin {
  readonly count: number
  /** Mean predicted probability, and observed share of outcomes. */
  readonly said: number
  readonly happened: number
  /** Half the width of the 95 % interval of the share (normal approximation). */
  readonly margin: number
}

const BINS = 10
const Z95 = 1.96

/**
 * Ten bins of equal width, in ascending order, without empty ones.
 * @param probabilities predicted probabilities, 0 to 1
 * @param outcomes 1 or 0
 */
export function reliability(probabilities: readonly number[], outcomes: readonly number[]): ReliabilityBin[] {
  return Array.from({ length: BINS }, (_, bin) =>
    [...probabilities.keys()].filter((i) => Math.min(BINS - 1, Math.floor((probabilities[i] ?? 0) * BINS)) === bin),
  ).flatMap((indices): ReliabilityBin[] => {
    const count = indices.length
    if (count === 0) return []
    const said = indices.reduce((sum, i) => sum + (probabilities[i] ?? 0), 0) / count
    const happened = indices.reduce((sum, i) => sum + (outcomes[i] ?? 0), 0) / count
    return [{ count, said, happened, margin: Z95 * Math.sqrt((happened * (1 - happened)) / count) }]
  })
}

const SIDE = 320
const MARGIN = 44
const COLOURS = ['#2563eb', '#d97706', '#059669', '#7c3aed']

/**
 * A reliability diagram as SVG: one point per bin, its area proportional to the number of predictions, its bar the 95 %
 * interval.
 */
export function reliabilityDiagram(series: Readonly<Record<string, readonly ReliabilityBin[]>>, title: string): string {
  const at = (value: number) => (MARGIN + value * SIDE).toFixed(1)
  const up = (value: number) => (MARGIN + (1 - Math.min(1, Math.max(0, value))) * SIDE).toFixed(1)
  const most = Math.max(1, ...Object.values(series).flatMap((bins) => bins.map(({ count }) => count)))
  const points = Object.entries(series).flatMap(([name, bins], i) => {
    const colour = COLOURS[i % COLOURS.length]
    const marks = bins.map(({ count, said, happened, margin }) => {
      const radius = (2 + 6 * Math.sqrt(count / most)).toFixed(1)
      return (
        `<line x1="${at(said)}" x2="${at(said)}" y1="${up(happened - margin)}" y2="${up(happened + margin)}" stroke="${colour}"/>` +
        `<circle cx="${at(said)}" cy="${up(happened)}" r="${radius}" fill="${colour}" fill-opacity="0.7"/>`
      )
    })
    const y = MARGIN + 16 + 16 * i
    return [...marks, `<text x="${MARGIN + 8}" y="${y}" fill="${colour}">${escaped(name)}</text>`]
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((value) => [
    `<text x="${at(value)}" y="${MARGIN + SIDE + 16}" text-anchor="middle">${value}</text>`,
    `<text x="${MARGIN - 6}" y="${up(value)}" text-anchor="end" dominant-baseline="middle">${value}</text>`,
  ])
  const size = SIDE + 2 * MARGIN
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}: probability that was said beside the share that succeeded</title>`,
    `<rect width="${size}" height="${size}" fill="#fff"/>`,
    `<text x="${size / 2}" y="22" text-anchor="middle" font-size="14">${escaped(title)}</text>`,
    `<rect x="${MARGIN}" y="${MARGIN}" width="${SIDE}" height="${SIDE}" fill="none" stroke="#999"/>`,
    `<line x1="${at(0)}" y1="${up(0)}" x2="${at(1)}" y2="${up(1)}" stroke="#999" stroke-dasharray="4"/>`,
    ...ticks,
    `<text x="${size / 2}" y="${size - 8}" text-anchor="middle">probability of success that was said</text>`,
    `<text x="12" y="${size / 2}" text-anchor="middle" transform="rotate(-90 12 ${size / 2})">share that succeeded</text>`,
    ...points,
    '</svg>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

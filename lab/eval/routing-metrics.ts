/**
 * Measures of a router between a weak and a strong model (Ong et al. 2024, "RouteLLM", section 4.1).
 * @module
 */

/** Whether each model answered correctly, 1 or 0. */
export interface Labelled {
  readonly weak: number
  readonly strong: number
}

export interface RouterMetrics {
  /** Average performance gap recovered: 0 means always weak, 1 always strong at no cost; random routing gets 0.5. */
  apgr: number
  /** Minimum share of calls to the strong model that recovers half of the gap. */
  cpt50: number
  /** The same for 80 % of the gap. */
  cpt80: number
}

/**
 * Share of the gap recovered if the first 0, 1, 2, … rows go to the strong model.
 * @param scores need of the strong model, one per row; rows with equal scores keep their order
 * @returns one more number than rows; NaN if both models are equally good
 */
export function recovered(rows: readonly Labelled[], scores: readonly number[]): number[] {
  const order = rows.map((_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
  const gap = rows.reduce((sum, { weak, strong }) => sum + strong - weak, 0)
  const curve = [0]
  let gained = 0
  for (const i of order) {
    const row = rows[i]
    if (row) gained += row.strong - row.weak
    curve.push(gained / gap)
  }
  return curve
}

/** All measures of one ranking. */
export function routerMetrics(rows: readonly Labelled[], scores: readonly number[]): RouterMetrics {
  const curve = recovered(rows, scores)
  const reached = (share: number) => curve.findIndex((value) => value >= share) / rows.length
  return {
    apgr: curve.reduce((sum, value) => sum + value, 0) / curve.length,
    cpt50: reached(0.5),
    cpt80: reached(0.8),
  }
}

/**
 * Expected calibration error over ten bins of equal width (Guo et al. 2017, "On Calibration of Modern Neural Networks").
 * @param probabilities predicted probabilities, 0 to 1
 * @param outcomes 1 or 0
 */
export function calibrationError(probabilities: readonly number[], outcomes: readonly number[]): number {
  const bins = Array.from({ length: 10 }, () => 0)
  for (const [i, probability] of probabilities.entries()) {
    const bin = Math.min(9, Math.floor(probability * 10))
    bins[bin] = (bins[bin] ?? 0) + probability - (outcomes[i] ?? 0)
  }
  return bins.reduce((sum, difference) => sum + Math.abs(difference), 0) / probabilities.length
}

/** Numbers in [0, 1), the same for the same seed (Numerical Recipes' linear congruential generator, upper bits mixed). */
export function seeded(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}

/**
 * 95 % percentile bootstrap interval (Efron 1979) of a measure of rows.
 * @param measure computes the measure for the rows with these indices
 */
export function bootstrapRows(
  count: number,
  measure: (indices: readonly number[]) => number,
  resamples = 300,
): [low: number, high: number] {
  const random = seeded(1)
  const values: number[] = []
  for (let round = 0; round < resamples; round++) {
    values.push(measure(Array.from({ length: count }, () => Math.floor(random() * count))))
  }
  values.sort((a, b) => a - b)
  return [values[Math.floor(resamples * 0.025)] ?? 0, values[Math.floor(resamples * 0.975)] ?? 0]
}

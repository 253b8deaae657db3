/**
 * Finds the confidence threshold for a target from the router's probabilities for held-out queries. Pure.
 * @module
 */

/** Number of steps of a spectrum. A spectrum has one more number than steps. */
export const SPECTRUM_STEPS = 100

/** The expected effect of a threshold. */
export interface ThresholdEffect {
  /** Share of queries that the local model answers, 0 to 1. */
  readonly localShare: number
  /** Expected success rate of the local model on those queries; null: it answers none. */
  readonly localSuccess: number | null
}

/**
 * Quantiles of probabilities at 0, 1, … 100 %, ascending, rounded to 4 decimal places. Empty if there are no
 * probabilities.
 */
export function spectrumOf(probabilities: Float64Array): number[] {
  if (probabilities.length === 0) return []
  const sorted = Float64Array.from(probabilities).sort()
  return Array.from({ length: SPECTRUM_STEPS + 1 }, (_, step) => {
    const value = sorted[Math.round((step / SPECTRUM_STEPS) * (sorted.length - 1))] ?? 0
    return Math.round(value * 10_000) / 10_000
  })
}

/**
 * The expected effect of a threshold on queries like those of the spectrum. The probabilities are calibrated, so their
 * mean is the expected success rate.
 */
export function effectOf(spectrum: readonly number[], threshold: number): ThresholdEffect {
  const above = spectrum.filter((probability) => probability >= threshold)
  return {
    localShare: spectrum.length === 0 ? 0 : above.length / spectrum.length,
    localSuccess: above.length === 0 ? null : above.reduce((sum, probability) => sum + probability, 0) / above.length,
  }
}

/** The threshold at which the local model answers about this share of queries. */
export function thresholdForShare(spectrum: readonly number[], share: number): number {
  if (share <= 0) return 1
  return spectrum[Math.round((1 - share) * SPECTRUM_STEPS)] ?? 1
}

/**
 * The lowest threshold at which the local model is expected to succeed at this share of its answers; 1 if there is
 * none.
 */
export function thresholdForSuccess(spectrum: readonly number[], success: number): number {
  return spectrum.find((threshold) => (effectOf(spectrum, threshold).localSuccess ?? 0) >= success) ?? 1
}

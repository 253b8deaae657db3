/**
 * Turns the evidence of a search into probabilities: of one item's relevance, and of there being anything relevant at all.
 * @module
 */

/** What is known about a search as a whole. */
export interface SearchEvidence {
  /** Searchable terms of the question. */
  readonly terms: number
  /** Share of the question's words that the embedder knows, 0 to 1. */
  readonly embeddingCoverage: number
  /** Best BM25 over the most that any document could reach for this question, 0 to 1. */
  readonly bestKeyword: number
  /** Greatest share of the question's idf that one candidate covers, 0 to 1. */
  readonly bestCoverage: number
  /** Greatest cosine, 0 when there are no vectors. */
  readonly bestCosine: number
}

/** One bin of a reliability diagram. */
export interface CalibrationBin {
  readonly count: number
  readonly meanProbability: number
  readonly observedShare: number
}

/** The logistic function, 1 / (1 + e^−x). */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

/** Log-odds of a probability, held within ±12. */
export function logOdds(probability: number): number {
  const bounded = Math.min(1 - 6e-6, Math.max(6e-6, probability))
  return Math.log(bounded / (1 - bounded))
}

/**
 * Reliability diagram with bins of equal width.
 * @param predictions probabilities with what came true
 */
export function calibrationBins(
  predictions: readonly { readonly probability: number; readonly relevant: boolean }[],
  bins = 10,
): CalibrationBin[] {
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, relevant: 0 }))
  for (const { probability, relevant } of predictions) {
    const bin = sums[Math.min(bins - 1, Math.floor(probability * bins))]
    if (!bin) continue
    bin.count++
    bin.probability += probability
    bin.relevant += relevant ? 1 : 0
  }
  return sums.map(({ count, probability, relevant }) => ({
    count,
    meanProbability: count > 0 ? probability / count : 0,
    observedShare: count > 0 ? relevant / count : 0,
  }))
}

/**
 * Expected calibration error: mean over bins, weighted by their counts, of |mean probability − observed share|
 * (Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3).
 */
export function expectedCalibrationError(
  predictions: readonly { readonly probability: number; readonly relevant: boolean }[],
  bins = 10,
): number {
  if (predictions.length === 0) return 0
  return calibrationBins(predictions, bins).reduce(
    (sum, bin) => sum + (bin.count / predictions.length) * Math.abs(bin.meanProbability - bin.observedShare),
    0,
  )
}

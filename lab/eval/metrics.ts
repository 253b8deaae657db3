/**
 * Measures of ranked retrieval, and intervals for their differences.
 * @module
 */
import { seeded } from '../../cli/shared/random.ts'

/** Relevance grades of one query's documents, by document id. */
export type Judgements = ReadonlyMap<string, number>

export interface RetrievalMetrics {
  'ndcg@10': number
  'recall@10': number
  'recall@100': number
  'mrr@10': number
}

/**
 * Normalised discounted cumulative gain with linear gains (Järvelin & Kekäläinen 2002; as in trec_eval's ndcg_cut).
 * @param ranked document ids, best first
 * @returns 0 to 1; 0 if nothing is relevant
 */
export function ndcg(ranked: readonly string[], judgements: Judgements, depth: number): number {
  const gain = (grades: readonly number[]) =>
    grades.slice(0, depth).reduce((sum, grade, i) => sum + Math.max(0, grade) / Math.log2(i + 2), 0)
  const ideal = gain([...judgements.values()].sort((a, b) => b - a))
  return ideal === 0 ? 0 : gain(ranked.slice(0, depth).map((id) => judgements.get(id) ?? 0)) / ideal
}

/** Share of the relevant documents among the first `depth`. */
export function recall(ranked: readonly string[], judgements: Judgements, depth: number): number {
  const relevant = [...judgements].filter(([, grade]) => grade > 0).map(([id]) => id)
  const found = new Set(ranked.slice(0, depth))
  return relevant.length === 0 ? 0 : relevant.filter((id) => found.has(id)).length / relevant.length
}

/** Reciprocal rank of the first relevant document; 0 if it is beyond `depth`. */
export function reciprocalRank(ranked: readonly string[], judgements: Judgements, depth: number): number {
  const at = ranked.slice(0, depth).findIndex((id) => (judgements.get(id) ?? 0) > 0)
  return at === -1 ? 0 : 1 / (at + 1)
}

/** All measures of one query. */
export function measure(ranked: readonly string[], judgements: Judgements): RetrievalMetrics {
  return {
    'ndcg@10': ndcg(ranked, judgements, 10),
    'recall@10': recall(ranked, judgements, 10),
    'recall@100': recall(ranked, judgements, 100),
    'mrr@10': reciprocalRank(ranked, judgements, 10),
  }
}

/** Arithmetic mean; 0 for an empty list. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * 95 % percentile bootstrap interval of a mean (Efron 1979), with 2,000 resamples from a fixed seed, so that the same
 * data gives the same interval. Pass paired differences to compare two arms.
 */
export function bootstrap95(values: readonly number[], resamples = 2000): [low: number, high: number] {
  if (values.length === 0) return [0, 0]
  const random = seeded(20_260_728)
  const means = Array.from({ length: resamples }, () => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)] ?? 0
    return sum / values.length
  }).sort((a, b) => a - b)
  return [means[Math.floor(0.025 * resamples)] ?? 0, means[Math.ceil(0.975 * resamples) - 1] ?? 0]
}

/**
 * Expected calibration error: mean over bins of equal width, weighted by their counts, of |mean probability − observed share|
 * (Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3).
 */
export function expectedCalibrationError(
  predictions: readonly { readonly probability: number; readonly relevant: boolean }[],
  bins = 10,
): number {
  const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, relevant: 0 }))
  for (const { probability, relevant } of predictions) {
    const bin = sums[Math.min(bins - 1, Math.floor(probability * bins))]
    if (!bin) continue
    bin.count++
    bin.probability += probability
    bin.relevant += relevant ? 1 : 0
  }
  const distance = sums.reduce((sum, { probability, relevant }) => sum + Math.abs(probability - relevant), 0)
  return predictions.length === 0 ? 0 : distance / predictions.length
}

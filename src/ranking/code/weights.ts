/**
 * Selects the weights for the ranking of code and its probabilities: one set for the built-in word table, one for
 * sentence encoders, whose cosines are more informative.
 *
 * Learnt on questions about 18 repositories (half of two sets: descriptions, symbols and architecture; subjects of
 * later commits and issues). Ranking: a softmax over the candidates of each question (Cao et al., "Learning to rank:
 * from pairwise approach to listwise approach", ICML 2007) with an L2 penalty on standardised features, both sets with
 * the same weight. Probabilities: logistic regression on the scores of models trained without the repository, with half
 * of the weight on questions that have no answer.
 * @module
 */
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { CodeModel } from './code-calibration.ts'
import type { CodeFeature } from './features.ts'
import { LEARNT_CALIBRATION, LEARNT_RANKING } from './learnt-weights.ts'

export interface CodeWeights {
  readonly features: Readonly<Record<CodeFeature, number>>
  /** Weight of the evidence from the other pieces of a file. */
  readonly file: number
}

/**
 * Log-odds that the code base answers the question, that the first result is relevant, and that a later result is, by
 * its distance from the first.
 */
interface ListCalibration {
  readonly any: CodeModel
  /** Among questions that the code base answers, the share whose answer is among the first ten results. */
  readonly found: number
  readonly first: CodeModel
  readonly later: { readonly first: number; readonly deficit: number; readonly intercept: number }
}

/** Calibration by the lists that were used. */
export interface CodeCalibration {
  readonly both: ListCalibration
  readonly words: ListCalibration
  readonly vectors: ListCalibration
}

/** The weights for the vectors of an embedding space. */
export function codeWeights(space: EmbeddingSpace): CodeWeights {
  return LEARNT_RANKING[embedderKind(space.name)]
}

/** The probability models for the vectors of an embedding space, by its name. */
export function codeCalibration(space: string): CodeCalibration {
  return LEARNT_CALIBRATION[embedderKind(space)]
}

function embedderKind(space: string): 'table' | 'sentence' {
  return space.startsWith('static-') ? 'table' : 'sentence'
}

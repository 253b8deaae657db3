/**
 * Which weights the ranking of code and its probabilities go by: one set for the built-in word table, one for encoders of sentences,
 * whose cosines say more.
 *
 * Learnt on questions about 18 repositories (half of two sets: descriptions, symbols and architecture; subjects of later commits and
 * issues). Ranking: a softmax over the candidates of each question (Cao et al., "Learning to rank: from pairwise approach to
 * listwise approach", ICML 2007) with an L2 penalty on standardised features, either set with the same weight. Probabilities:
 * logistic regression with the scores of models that have not seen the repository, half of the weight on questions that nothing answers.
 * @module
 */
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { CodeModel } from './code-calibration.ts'
import type { CodeFeature } from './features.ts'
import { LEARNT_CALIBRATION, LEARNT_RANKING } from './learnt-weights.ts'

export interface CodeWeights {
  readonly features: Readonly<Record<CodeFeature, number>>
  /** Of what the other pieces of a file add to a piece. */
  readonly file: number
}

/** Log-odds that the code base answers the question, that the first result is relevant, and that a later one is by how far it is behind. */
interface ListCalibration {
  readonly any: CodeModel
  /** Share of the questions that a code base answers whose answer is among the first ten. */
  readonly found: number
  readonly first: CodeModel
  readonly later: { readonly first: number; readonly deficit: number; readonly intercept: number }
}

/** By which lists took part. */
export interface CodeCalibration {
  readonly both: ListCalibration
  readonly words: ListCalibration
  readonly vectors: ListCalibration
}

/** The weights for vectors of a space. */
export function codeWeights(space: EmbeddingSpace): CodeWeights {
  return LEARNT_RANKING[embedderKind(space.name)]
}

/** The models of probability for vectors of a space, by its name. */
export function codeCalibration(space: string): CodeCalibration {
  return LEARNT_CALIBRATION[embedderKind(space)]
}

function embedderKind(space: string): 'table' | 'sentence' {
  return space.startsWith('static-') ? 'table' : 'sentence'
}

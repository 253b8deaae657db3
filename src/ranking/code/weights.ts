/**
 * Weights of the ranking of code and of its probabilities, in log-odds a unit. Written by
 * `npm run --prefix lab train:code-ranking`, not by hand.
 *
 * Learnt on questions about 18 repositories (half of two sets: descriptions, symbols and architecture; subjects of later commits and
 * issues). Ranking: a softmax over the candidates of each question (Cao et al., "Learning to rank: from pairwise approach to
 * listwise approach", ICML 2007) with an L2 penalty of 12 on standardised features, either set with the same weight. Probabilities:
 * logistic regression with the scores of models that have not seen the repository, half of the weight on questions that nothing answers.
 * @module
 */
import type { EmbeddingSpace } from '../../inference/embedding/embedder.ts'
import type { CodeModel } from './code-calibration.ts'
import type { CodeFeature } from './features.ts'

export interface CodeWeights {
  readonly features: Readonly<Record<CodeFeature, number>>
  /** Of what the other pieces of a file add to a piece. */
  readonly file: number
}

/** Log-odds that anything among the first ten is relevant, that the first is, and that a later one is by how far it is behind. */
interface ListCalibration {
  readonly any: CodeModel
  readonly first: CodeModel
  readonly later: { readonly first: number; readonly deficit: number; readonly intercept: number }
}

/** By which lists took part. */
export interface CodeCalibration {
  readonly both: ListCalibration
  readonly words: ListCalibration
  readonly vectors: ListCalibration
}

/** By kind of embedder: the built-in word table, and encoders of sentences, whose cosines say more. */
const RANKING: Readonly<Record<'table' | 'sentence', CodeWeights>> = {
  table: {
    file: 0.13,
    features: {
      words: 2.57,
      words_attained: 1.28,
      coverage: 0.84,
      meaning: 0.14,
      meaning_relative: 0.32,
      defines_name: 0.77,
      symbol_fit: 3.64,
      file_words: 1.84,
      file_fit: 6.12,
      file_is_name: 0.84,
      folder_words: 0.92,
      path_given: 0.77,
      imports: -0.5,
      older_version: -2.64,
      length: 0.49,
      test: -3.13,
      document: -2.75,
      example: -2.82,
      changelog: -2.89,
      licence: -1.83,
      generated: -2,
      configuration: -2.44,
      types: -1.5,
      reexport: -1.5,
      words_symbol: 0.39,
      words_long: 1.91,
      meaning_relative_long: -0.63,
      file_fit_symbol: 0.43,
    },
  },
  sentence: {
    file: 0.1,
    features: {
      words: 2.71,
      words_attained: 1.14,
      coverage: 1.14,
      meaning: 0.23,
      meaning_relative: 0.33,
      defines_name: -0.04,
      symbol_fit: 3.34,
      file_words: 2.37,
      file_fit: 7.32,
      file_is_name: 1.78,
      folder_words: 0.92,
      path_given: 0.77,
      imports: -0.5,
      older_version: -2.64,
      length: 0.7,
      test: -3.38,
      document: -3.11,
      example: -3.28,
      changelog: -2.89,
      licence: -2.04,
      generated: -2,
      configuration: -2.69,
      types: -1.89,
      reexport: -1.5,
      words_symbol: 0.86,
      words_long: 1.91,
      meaning_relative_long: -0.63,
      file_fit_symbol: 0.42,
    },
  },
}

const CALIBRATION: Readonly<Record<'table' | 'sentence', CodeCalibration>> = {
  table: {
    both: {
      any: {
        best_keyword: 2.01,
        best_coverage: 6.4,
        coverage_3: -0.16,
        coverage_10: -1.41,
        closest: 1.74,
        closest_10: 3.32,
        first_name: 4.06,
        best_name: 1.3,
        log_terms: 1.72,
        log_items: -1.03,
        long: -0.67,
        intercept: -6.3,
      },
      first: {
        best_keyword: 1.01,
        best_coverage: 3.97,
        first_coverage: -1.71,
        coverage_3: 0.36,
        first_closeness: 0.42,
        closest: 1.17,
        closest_10: 1.43,
        first_name: 1.89,
        lead: 2.04,
        log_terms: 0.97,
        log_items: -0.19,
        long: -0.75,
        intercept: -6.78,
      },
      later: {
        first: 0.79,
        deficit: -0.27,
        intercept: -0.65,
      },
    },
    words: {
      any: {
        best_keyword: 3.4,
        best_coverage: 6.65,
        coverage_3: -0.36,
        coverage_10: -0.11,
        first_name: 4.38,
        best_name: 1.52,
        log_terms: 2.41,
        log_items: -0.56,
        long: 0.21,
        intercept: -7.79,
      },
      first: {
        best_keyword: 1.82,
        best_coverage: 4.39,
        first_coverage: -1.89,
        coverage_3: 0.78,
        first_name: 2.3,
        lead: 2.06,
        log_terms: 1.5,
        log_items: 0.02,
        long: -0.45,
        intercept: -7.69,
      },
      later: {
        first: 0.8,
        deficit: -0.28,
        intercept: -0.62,
      },
    },
    vectors: {
      any: {
        closest: 4.53,
        closest_10: 5.37,
        first_name: 4.09,
        best_name: 5.67,
        log_terms: 0.8,
        log_items: -1.06,
        long: -1.92,
        intercept: -3.91,
      },
      first: {
        first_closeness: 1.05,
        closest: 2.33,
        closest_10: 2.52,
        first_name: 3.64,
        lead: 1.93,
        log_terms: 0.59,
        log_items: -0.24,
        long: -1.77,
        intercept: -5.45,
      },
      later: {
        first: 0.79,
        deficit: -0.27,
        intercept: -0.63,
      },
    },
  },
  sentence: {
    both: {
      any: {
        best_keyword: 0.48,
        best_coverage: 4.89,
        coverage_3: -0.06,
        coverage_10: -1.72,
        closest: 4.42,
        closest_10: 1.08,
        first_name: 1.56,
        best_name: 3.71,
        log_terms: 0.51,
        log_items: -0.04,
        long: 0,
        intercept: -6.36,
      },
      first: {
        best_keyword: 0.81,
        best_coverage: 2.97,
        first_coverage: -1.25,
        coverage_3: -0.41,
        first_closeness: 2.26,
        closest: 2.17,
        closest_10: -1.56,
        first_name: 2.46,
        lead: 2.43,
        log_terms: -0.18,
        log_items: 0.15,
        long: 0,
        intercept: -5.58,
      },
      later: {
        first: 0.89,
        deficit: -0.43,
        intercept: -0.25,
      },
    },
    words: {
      any: {
        best_keyword: 2.64,
        best_coverage: 6.95,
        coverage_3: 0.26,
        coverage_10: -0.9,
        first_name: 2.45,
        best_name: 4.39,
        log_terms: 1.93,
        log_items: 0.2,
        long: 0,
        intercept: -8.76,
      },
      first: {
        best_keyword: 2.5,
        best_coverage: 4.49,
        first_coverage: -1.98,
        coverage_3: -0.05,
        first_name: 2.7,
        lead: 2.62,
        log_terms: 0.7,
        log_items: 0.24,
        long: 0,
        intercept: -7.03,
      },
      later: {
        first: 0.88,
        deficit: -0.4,
        intercept: -0.32,
      },
    },
    vectors: {
      any: {
        closest: 5.63,
        closest_10: 2.12,
        first_name: 2.29,
        best_name: 4.93,
        log_terms: -0.02,
        log_items: 0.04,
        long: 0,
        intercept: -5.01,
      },
      first: {
        first_closeness: 2.79,
        closest: 2.54,
        closest_10: -1.34,
        first_name: 3.34,
        lead: 2.32,
        log_terms: -0.54,
        log_items: 0.23,
        long: 0,
        intercept: -4.64,
      },
      later: {
        first: 0.88,
        deficit: -0.44,
        intercept: -0.23,
      },
    },
  },
}

/** The weights for vectors of a space. */
export function codeWeights(space: EmbeddingSpace): CodeWeights {
  return RANKING[embedderKind(space.name)]
}

/** The models of probability for vectors of a space, by its name. */
export function codeCalibration(space: string): CodeCalibration {
  return CALIBRATION[embedderKind(space)]
}

function embedderKind(space: string): 'table' | 'sentence' {
  return space.startsWith('static-') ? 'table' : 'sentence'
}

/**
 * Weights of the ranking of code and of its probabilities, in log-odds a unit. Learnt by `lab/training/code-ranking`.
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
    file: 0.14,
    features: {
      words: 2.57,
      words_attained: 1.28,
      coverage: 0.85,
      meaning: 0.15,
      meaning_relative: 0.32,
      defines_name: 0.77,
      symbol_fit: 3.64,
      file_words: 1.84,
      file_fit: 6.13,
      file_is_name: 0.84,
      folder_words: 0.92,
      path_given: 0.77,
      imports: -0.5,
      older_version: -2.64,
      length: 0.49,
      test: -3.14,
      document: -2.75,
      example: -2.83,
      changelog: -2.89,
      licence: -1.83,
      generated: -2,
      configuration: -2.44,
      types: -1.5,
      reexport: -1.5,
      words_symbol: 0.4,
      words_long: 1.91,
      meaning_relative_long: -0.63,
      file_fit_symbol: 0.43,
    },
  },
  sentence: {
    file: 0.1,
    features: {
      words: 2.71,
      words_attained: 1.15,
      coverage: 1.14,
      meaning: 0.24,
      meaning_relative: 0.33,
      defines_name: -0.04,
      symbol_fit: 3.34,
      file_words: 2.37,
      file_fit: 7.33,
      file_is_name: 1.78,
      folder_words: 0.93,
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
      configuration: -2.7,
      types: -1.9,
      reexport: -1.5,
      words_symbol: 0.86,
      words_long: 1.91,
      meaning_relative_long: -0.63,
      file_fit_symbol: 0.43,
    },
  },
}

const CALIBRATION: Readonly<Record<'table' | 'sentence', CodeCalibration>> = {
  table: {
    both: {
      any: {
        best_keyword: 1.81,
        best_coverage: 6.65,
        coverage_3: -0.37,
        coverage_10: -1.72,
        closest: 3.53,
        closest_10: 1.35,
        first_name: 3.54,
        best_name: 2.11,
        log_terms: 1.49,
        log_items: -0.8,
        long: -0.37,
        intercept: -6.72,
      },
      first: {
        best_keyword: 0.82,
        best_coverage: 4.06,
        first_coverage: -1.71,
        coverage_3: 0.07,
        first_closeness: 0.65,
        closest: 2.21,
        closest_10: 0.25,
        first_name: 2.09,
        lead: 2.15,
        log_terms: 0.71,
        log_items: -0.11,
        long: -0.39,
        intercept: -6.64,
      },
      later: {
        first: 0.8,
        deficit: -0.3,
        intercept: -0.59,
      },
    },
    words: {
      any: {
        best_keyword: 3.36,
        best_coverage: 7.02,
        coverage_3: -0.46,
        coverage_10: -0.8,
        first_name: 3.92,
        best_name: 2.59,
        log_terms: 2.42,
        log_items: -0.39,
        long: 0.13,
        intercept: -8.45,
      },
      first: {
        best_keyword: 1.93,
        best_coverage: 4.56,
        first_coverage: -2.06,
        coverage_3: 0.52,
        first_name: 2.37,
        lead: 2.28,
        log_terms: 1.33,
        log_items: 0.08,
        long: -0.21,
        intercept: -7.66,
      },
      later: {
        first: 0.8,
        deficit: -0.3,
        intercept: -0.59,
      },
    },
    vectors: {
      any: {
        closest: 6.12,
        closest_10: 3.36,
        first_name: 3.5,
        best_name: 5.8,
        log_terms: 0.66,
        log_items: -0.81,
        long: -1.7,
        intercept: -4.43,
      },
      first: {
        first_closeness: 1.31,
        closest: 3.29,
        closest_10: 1.1,
        first_name: 3.62,
        lead: 2.01,
        log_terms: 0.33,
        log_items: -0.1,
        long: -1.3,
        intercept: -5.44,
      },
      later: {
        first: 0.8,
        deficit: -0.3,
        intercept: -0.57,
      },
    },
  },
  sentence: {
    both: {
      any: {
        best_keyword: -0.56,
        best_coverage: 6.97,
        coverage_3: -0.37,
        coverage_10: -1.72,
        closest: 5.81,
        closest_10: -0.42,
        first_name: 3.54,
        best_name: 2.11,
        log_terms: 1.49,
        log_items: -0.8,
        long: -0.37,
        intercept: -5.63,
      },
      first: {
        best_keyword: 0.82,
        best_coverage: 4.04,
        first_coverage: -1.77,
        coverage_3: 0.07,
        first_closeness: 2.24,
        closest: 3.02,
        closest_10: -3.04,
        first_name: 2.09,
        lead: 2.15,
        log_terms: 0.71,
        log_items: -0.11,
        long: -0.39,
        intercept: -6.48,
      },
      later: {
        first: 0.87,
        deficit: -0.37,
        intercept: -0.38,
      },
    },
    words: {
      any: {
        best_keyword: 2.39,
        best_coverage: 8.7,
        coverage_3: -0.46,
        coverage_10: -0.8,
        first_name: 3.92,
        best_name: 2.59,
        log_terms: 2.42,
        log_items: -0.39,
        long: 0.13,
        intercept: -8.42,
      },
      first: {
        best_keyword: 1.93,
        best_coverage: 5.45,
        first_coverage: -2.53,
        coverage_3: 0.52,
        first_name: 2.37,
        lead: 2.28,
        log_terms: 1.33,
        log_items: 0.08,
        long: -0.21,
        intercept: -7.7,
      },
      later: {
        first: 0.86,
        deficit: -0.33,
        intercept: -0.5,
      },
    },
    vectors: {
      any: {
        closest: 7.7,
        closest_10: 0.65,
        first_name: 3.5,
        best_name: 5.8,
        log_terms: 0.66,
        log_items: -0.81,
        long: -1.7,
        intercept: -3.56,
      },
      first: {
        first_closeness: 2.97,
        closest: 3.74,
        closest_10: -2.86,
        first_name: 3.62,
        lead: 2.01,
        log_terms: 0.33,
        log_items: -0.1,
        long: -1.3,
        intercept: -5.1,
      },
      later: {
        first: 0.89,
        deficit: -0.41,
        intercept: -0.29,
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

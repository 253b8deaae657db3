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
    file: 0.138,
    features: {
      words: 2.571,
      words_attained: 1.28,
      coverage: 0.848,
      meaning: 0.149,
      meaning_relative: 0.322,
      defines_name: 0.773,
      symbol_fit: 3.644,
      file_words: 1.84,
      file_fit: 6.126,
      file_is_name: 0.843,
      folder_words: 0.924,
      path_given: 0.772,
      imports: -0.5,
      older_version: -2.643,
      length: 0.493,
      test: -3.137,
      document: -2.755,
      example: -2.828,
      changelog: -2.893,
      licence: -1.83,
      generated: -2,
      configuration: -2.441,
      types: -1.501,
      reexport: -1.5,
      words_symbol: 0.397,
      words_long: 1.91,
      meaning_relative_long: -0.631,
      file_fit_symbol: 0.433,
    },
  },
  sentence: {
    file: 0.101,
    features: {
      words: 2.71,
      words_attained: 1.146,
      coverage: 1.145,
      meaning: 0.239,
      meaning_relative: 0.333,
      defines_name: -0.043,
      symbol_fit: 3.342,
      file_words: 2.373,
      file_fit: 7.325,
      file_is_name: 1.782,
      folder_words: 0.926,
      path_given: 0.772,
      imports: -0.5,
      older_version: -2.643,
      length: 0.702,
      test: -3.384,
      document: -3.114,
      example: -3.284,
      changelog: -2.893,
      licence: -2.042,
      generated: -2,
      configuration: -2.698,
      types: -1.899,
      reexport: -1.5,
      words_symbol: 0.861,
      words_long: 1.91,
      meaning_relative_long: -0.631,
      file_fit_symbol: 0.428,
    },
  },
}

const CALIBRATION: Readonly<Record<'table' | 'sentence', CodeCalibration>> = {
  table: {
    both: {
      any: {
        best_keyword: 2.011,
        best_coverage: 6.408,
        coverage_3: -0.169,
        coverage_10: -1.413,
        closest: 1.741,
        closest_10: 3.328,
        first_name: 4.069,
        best_name: 1.308,
        log_terms: 1.722,
        log_items: -1.037,
        long: -0.676,
        intercept: -6.305,
      },
      first: {
        best_keyword: 1.017,
        best_coverage: 3.972,
        first_coverage: -1.719,
        coverage_3: 0.368,
        first_closeness: 0.421,
        closest: 1.176,
        closest_10: 1.436,
        first_name: 1.896,
        lead: 2.043,
        log_terms: 0.976,
        log_items: -0.198,
        long: -0.755,
        intercept: -6.782,
      },
      later: {
        first: 0.797,
        deficit: -0.271,
        intercept: -0.658,
      },
    },
    words: {
      any: {
        best_keyword: 3.405,
        best_coverage: 6.657,
        coverage_3: -0.369,
        coverage_10: -0.119,
        first_name: 4.386,
        best_name: 1.528,
        log_terms: 2.418,
        log_items: -0.564,
        long: 0.212,
        intercept: -7.797,
      },
      first: {
        best_keyword: 1.822,
        best_coverage: 4.392,
        first_coverage: -1.892,
        coverage_3: 0.784,
        first_name: 2.303,
        lead: 2.062,
        log_terms: 1.507,
        log_items: 0.022,
        long: -0.459,
        intercept: -7.694,
      },
      later: {
        first: 0.809,
        deficit: -0.284,
        intercept: -0.629,
      },
    },
    vectors: {
      any: {
        closest: 4.539,
        closest_10: 5.372,
        first_name: 4.094,
        best_name: 5.677,
        log_terms: 0.808,
        log_items: -1.069,
        long: -1.928,
        intercept: -3.915,
      },
      first: {
        first_closeness: 1.053,
        closest: 2.335,
        closest_10: 2.521,
        first_name: 3.645,
        lead: 1.931,
        log_terms: 0.593,
        log_items: -0.242,
        long: -1.773,
        intercept: -5.453,
      },
      later: {
        first: 0.793,
        deficit: -0.276,
        intercept: -0.631,
      },
    },
  },
  sentence: {
    both: {
      any: {
        best_keyword: 0.484,
        best_coverage: 4.899,
        coverage_3: -0.069,
        coverage_10: -1.729,
        closest: 4.429,
        closest_10: 1.089,
        first_name: 1.568,
        best_name: 3.711,
        log_terms: 0.513,
        log_items: -0.043,
        long: 0,
        intercept: -6.366,
      },
      first: {
        best_keyword: 0.812,
        best_coverage: 2.97,
        first_coverage: -1.259,
        coverage_3: -0.417,
        first_closeness: 2.26,
        closest: 2.171,
        closest_10: -1.569,
        first_name: 2.46,
        lead: 2.431,
        log_terms: -0.187,
        log_items: 0.151,
        long: 0,
        intercept: -5.588,
      },
      later: {
        first: 0.894,
        deficit: -0.433,
        intercept: -0.259,
      },
    },
    words: {
      any: {
        best_keyword: 2.642,
        best_coverage: 6.95,
        coverage_3: 0.266,
        coverage_10: -0.903,
        first_name: 2.455,
        best_name: 4.396,
        log_terms: 1.933,
        log_items: 0.205,
        long: 0,
        intercept: -8.764,
      },
      first: {
        best_keyword: 2.505,
        best_coverage: 4.49,
        first_coverage: -1.981,
        coverage_3: -0.058,
        first_name: 2.707,
        lead: 2.624,
        log_terms: 0.701,
        log_items: 0.245,
        long: 0,
        intercept: -7.038,
      },
      later: {
        first: 0.882,
        deficit: -0.403,
        intercept: -0.321,
      },
    },
    vectors: {
      any: {
        closest: 5.635,
        closest_10: 2.125,
        first_name: 2.293,
        best_name: 4.932,
        log_terms: -0.024,
        log_items: 0.043,
        long: 0,
        intercept: -5.018,
      },
      first: {
        first_closeness: 2.796,
        closest: 2.542,
        closest_10: -1.343,
        first_name: 3.34,
        lead: 2.32,
        log_terms: -0.54,
        log_items: 0.231,
        long: 0,
        intercept: -4.648,
      },
      later: {
        first: 0.884,
        deficit: -0.446,
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

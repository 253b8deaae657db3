/**
 * Converts the evidence of a code search to probabilities: that a piece is relevant, and that any of the first ten is.
 * Logistic models, learnt together with the ranking (weights.ts). Pure.
 * @module
 */
import { logistic } from '../../statistics.ts'
import type { SearchProbabilities } from '../calibration.ts'
import type { CodePiece } from './features.ts'
import type { CodeQuestion } from './question.ts'
import { filesOf, type RankedPiece } from './rank.ts'
import { type CodeCalibration, codeCalibration } from './weights.ts'

/**
 * The evidence of a whole code search. If there are fewer pieces than a mean's name says, the mean is over the existing
 * ones.
 */
export interface CodeEvidence {
  /** Whether words were searched, and whether vectors were searched. */
  readonly lists: 'both' | 'words' | 'vectors' | 'none'
  readonly kind: CodeCalibration
  readonly values: CodeSearchMeasures
}

const MEASURES = [
  'best_keyword',
  'best_coverage',
  'first_coverage',
  'coverage_3',
  'coverage_10',
  'file_coverage',
  'first_closeness',
  'closest',
  'closest_10',
  'first_name',
  'best_name',
  'lead',
  'log_terms',
  'log_items',
  'long',
] as const

export type CodeMeasure = (typeof MEASURES)[number]
export type CodeSearchMeasures = Readonly<Record<CodeMeasure, number>>

/** Weights of one logistic model. A missing measure has weight 0. */
export type CodeModel = Readonly<Partial<Record<CodeMeasure, number>>> & { readonly intercept: number }

/** Closeness is expressed in tens of standard deviations, so that all measures have a similar magnitude. */
const CLOSENESS_UNIT = 10
/** A larger lead has no further effect, in log-odds. */
const MAX_LEAD = 2
/** Number of top results that are checked for names from the question. */
const NAMED = 5
/** Number of files in the mean of the files' coverage. */
const FILES = 3
/** Smaller collections are treated as having this size. */
const MIN_ITEMS = 30

/**
 * The evidence of a search: of its best piece, and means over the first three, the first ten, the closest ten, and the
 * three files that cover most of the question.
 */
export function codeEvidence(
  query: {
    readonly question: CodeQuestion
    readonly attainable: number
    readonly embeddingCoverage: number
    readonly terms: number
    readonly items?: number
    readonly space: string
    /** Whether the cosines are on a measured scale. Otherwise they are no evidence where words were searched. */
    readonly scaled: boolean
  },
  pieces: readonly CodePiece[],
  ranked: readonly RankedPiece[],
): CodeEvidence {
  const order = [...ranked.keys()].sort((a, b) => (ranked[b]?.score ?? 0) - (ranked[a]?.score ?? 0) || a - b)
  const coverages = order.map((i) => pieces[i]?.coverage ?? 0)
  const near = pieces.map(({ closeness }) => (closeness ?? 0) / CLOSENESS_UNIT).sort((a, b) => b - a)
  const names = order.slice(0, NAMED).map((i) => nameFit(ranked[i]))
  const [first] = order
  const file = first === undefined ? '' : pieces[first]?.path
  const second = order.find((i) => pieces[i]?.path !== file)
  const scoreOf = (i: number | undefined) => (i === undefined ? undefined : ranked[i]?.score)
  const words = query.attainable > 0 && pieces.some(({ keyword }) => keyword > 0)
  const vectors =
    (query.scaled || query.attainable <= 0) &&
    query.embeddingCoverage > 0 &&
    pieces.some(({ closeness }) => closeness !== null)
  const best = Math.max(0, ...pieces.map(({ keyword }) => keyword))
  return {
    lists: words && vectors ? 'both' : words ? 'words' : vectors ? 'vectors' : 'none',
    kind: codeCalibration(query.space),
    values: {
      best_keyword: query.attainable > 0 ? Math.min(1, best / query.attainable) : 0,
      best_coverage: Math.max(0, ...coverages),
      first_coverage: coverages[0] ?? 0,
      coverage_3: mean(coverages.slice(0, 3)),
      coverage_10: mean(coverages.slice(0, 10)),
      file_coverage: mean(fileCoverages(pieces).slice(0, FILES)),
      first_closeness: first === undefined ? 0 : (pieces[first]?.closeness ?? 0) / CLOSENESS_UNIT,
      closest: near[0] ?? 0,
      closest_10: mean(near.slice(0, 10)),
      first_name: names[0] ?? 0,
      best_name: Math.max(0, ...names),
      lead: Math.min(MAX_LEAD, (scoreOf(first) ?? 0) - (scoreOf(second) ?? scoreOf(order.at(-1)) ?? 0)) / MAX_LEAD,
      log_terms: Math.log(Math.max(1, query.terms)),
      log_items: Math.log10(Math.max(MIN_ITEMS, query.items ?? 1000)),
      long: query.question.shape === 'long' ? 1 : 0,
    },
  }
}

/** The probabilities of a code search. */
export function codeProbabilities({ lists, kind, values }: CodeEvidence): SearchProbabilities {
  if (lists === 'none') return { answerable: 0, relevance: () => 0 }
  const { any, found, first, later } = kind[lists]
  const firstOdds = apply(first, values)
  return {
    answerable: found * logistic(apply(any, values)),
    relevance: (deficit) =>
      logistic(
        deficit <= 0
          ? firstOdds
          : Math.min(firstOdds, later.first * firstOdds + later.deficit * deficit + later.intercept),
      ),
  }
}

/** The share of the question that the best piece of each file covers, highest first. */
function fileCoverages(pieces: readonly CodePiece[]): number[] {
  return filesOf(pieces)
    .map((members) => Math.max(...members.map((i) => pieces[i]?.coverage ?? 0)))
    .sort((a, b) => b - a)
}

function apply(model: CodeModel, values: CodeSearchMeasures): number {
  return MEASURES.reduce((sum, name) => sum + (model[name] ?? 0) * values[name], model.intercept)
}

function nameFit(ranked: RankedPiece | undefined): number {
  return Math.max(ranked?.reasons.symbol_fit?.value ?? 0, ranked?.reasons.file_fit?.value ?? 0)
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

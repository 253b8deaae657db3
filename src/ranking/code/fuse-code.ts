/**
 * Fuses the results of a code search: uses the ranking of code instead of the fused score, and probabilities learnt on
 * code. Pure.
 * @module
 */
import type { FileKind } from '../../text/file-kind.ts'
import {
  closenessOf,
  type FusedResult,
  type FusionCandidate,
  type FusionQuery,
  fusedResults,
  type ScoredCandidate,
  scaleFor,
} from '../fusion.ts'
import { type CodeEvidence, codeEvidence, codeProbabilities } from './code-calibration.ts'
import type { CodePiece } from './features.ts'
import type { CodeQuestion } from './question.ts'
import { rankCode } from './rank.ts'
import type { CodeWeights } from './weights.ts'

/** A candidate of a code base. */
export interface CodeCandidate<Item> extends FusionCandidate<Item> {
  readonly path: string
  readonly symbols: readonly string[]
  readonly body: string
  /** The stored kind; null: derived from the path. */
  readonly kind: FileKind | null
}

export interface CodeQuery extends FusionQuery {
  readonly question: CodeQuestion
  readonly weights: CodeWeights
  /** Name of the embedding space that was searched. */
  readonly space: string
  /** Log-odds penalty for each further piece of a file: large for a list of locations, small for a prompt. */
  readonly furtherPieceLoss: number
}

export interface FusedCode<Item> {
  /** Best first. */
  readonly results: FusedResult<Item>[]
  readonly answerable: number
  readonly evidence: CodeEvidence
}

/** Ranks the candidates of one code base with probabilities. */
export function fuseCode<Item>(candidates: readonly CodeCandidate<Item>[], query: CodeQuery): FusedCode<Item> {
  const scale = scaleFor(query, candidates)
  const pieces = candidates.map((candidate): CodePiece => {
    const { path, symbols, body, kind, keyword, cosine } = candidate
    const length = (keyword?.length ?? 0) / Math.max(1, query.averageLength ?? 1)
    return {
      path,
      symbols,
      body,
      kind,
      keyword: query.attainable > 0 ? (keyword?.score ?? 0) : 0,
      coverage: query.attainable > 0 ? (keyword?.coverage ?? 0) : 0,
      length: length > 0 ? length : 1,
      closeness: cosine === null ? null : closenessOf(cosine, scale),
    }
  })
  const ranked = rankCode(query.question, pieces, query, query.weights)
  const evidence = codeEvidence({ ...query, scaled: query.scale !== null }, pieces, ranked)
  const { answerable, relevance } = codeProbabilities(evidence)
  const best = Math.max(Number.NEGATIVE_INFINITY, ...ranked.map(({ score }) => score))
  const scored = candidates.map((candidate, i): ScoredCandidate<Item> => {
    const { score, fileRank, reasons } = ranked[i] ?? { score: 0, fileRank: 0, reasons: {} }
    const spread = score - query.furtherPieceLoss * fileRank
    return { candidate, score: spread, probability: relevance(best - spread), code: reasons }
  })
  return { results: fusedResults(scored), answerable, evidence }
}

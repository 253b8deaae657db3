/**
 * Ranks the results of a code search: a linear model over the named features, in log-odds, then a bonus from the other
 * pieces of the same file, and a penalty for copies of a better piece. The weights are learnt, see weights.ts. Pure.
 * @module
 */
import { jaccard, letterPairs, mayBeAlike, NEAR_DUPLICATE, shingles } from '../../text/shingles.ts'
import type { Reason } from '../fusion.ts'
import { CODE_FEATURES, type CodeFeatures, type CodePiece, type CodeSearchFigures, codeFeatures } from './features.ts'
import type { CodeQuestion } from './question.ts'
import type { CodeWeights } from './weights.ts'

/** A piece with its score. */
export interface RankedPiece {
  /** Log-odds, comparable within one search only. */
  readonly score: number
  /** Number of better pieces in the same file. */
  readonly fileRank: number
  /** Features that are not 0, plus `file` for the other pieces of its file and `copy` for a copy of a better piece. */
  readonly reasons: Readonly<Record<string, Reason>>
}

/** Log-odds penalty for a near-copy of a better piece in another file. */
const COPY_LOSS = 3
/** Number of best pieces that are compared to find copies. */
const COMPARED = 30
/**
 * Two pieces can only be copies when their covered shares differ by less than this, their lengths by less than a tenth,
 * and their cosines by less than one standard deviation.
 */
const SAME_EVIDENCE = 0.03

/** Ranks pieces. The results keep the order of the input. */
export function rankCode(
  question: CodeQuestion,
  pieces: readonly CodePiece[],
  figures: CodeSearchFigures,
  weights: CodeWeights,
): RankedPiece[] {
  const features = codeFeatures(question, pieces, figures)
  const own = features.map((values) => linear(values, weights))
  const byFile = filesOf(pieces)
  const support = supportOf(own, byFile)
  const scores = own.map((score, i) => score + weights.file * (support[i] ?? 0))
  const copies = copiesOf(pieces, scores)
  const ranked = scores.map((score, i) => score - (copies.has(i) ? COPY_LOSS : 0))
  const fileRanks = fileRanksOf(ranked, byFile)
  return pieces.map((_, i): RankedPiece => {
    const reasons: Record<string, Reason> = {}
    for (const name of CODE_FEATURES) {
      const value = features[i]?.[name] ?? 0
      if (value !== 0) reasons[name] = { value, adds: value * weights.features[name] }
    }
    const file = support[i] ?? 0
    if (file !== 0) reasons.file = { value: file, adds: weights.file * file }
    if (copies.has(i)) reasons.copy = { value: 1, adds: -COPY_LOSS }
    return { score: ranked[i] ?? 0, fileRank: fileRanks[i] ?? 0, reasons }
  })
}

function linear(values: CodeFeatures, { features }: CodeWeights): number {
  let sum = 0
  for (const name of CODE_FEATURES) sum += values[name] * features[name]
  return sum
}

/** Positions of the pieces of each file. A piece without a path is a file of its own. */
export function filesOf(pieces: readonly CodePiece[]): number[][] {
  const files = new Map<string | number, number[]>()
  pieces.forEach(({ path }, i) => {
    const key = path === '' ? i : path
    const known = files.get(key)
    if (known) known.push(i)
    else files.set(key, [i])
  })
  return [...files.values()]
}

/** Evidence from the other pieces of a piece's file: ln Σ exp(score) over the file, minus its own score. */
function supportOf(scores: readonly number[], files: readonly number[][]): number[] {
  const support = scores.map(() => 0)
  for (const members of files) {
    const most = Math.max(...members.map((i) => scores[i] ?? 0))
    const sum = members.reduce((total, i) => total + Math.exp((scores[i] ?? 0) - most), 0)
    for (const i of members) support[i] = most + Math.log(sum) - (scores[i] ?? 0)
  }
  return support
}

function fileRanksOf(scores: readonly number[], files: readonly number[][]): number[] {
  const ranks = scores.map(() => 0)
  for (const members of files) {
    const sorted = [...members].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
    sorted.forEach((i, rank) => {
      ranks[i] = rank
    })
  }
  return ranks
}

/** Indices of the best pieces that are near-copies of a better piece in another file. */
function copiesOf(pieces: readonly CodePiece[], scores: readonly number[]): Set<number> {
  const best = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b).slice(0, COMPARED)
  const ofBody = <T>(work: (text: string) => T) => {
    const known = new Map<number, T>()
    return (i: number): T => {
      const made = known.get(i) ?? work(pieces[i]?.body ?? '')
      known.set(i, made)
      return made
    }
  }
  const pairsOf = ofBody(letterPairs)
  const shinglesOf = ofBody(shingles)
  const copies = new Set<number>()
  best.forEach((i, at) => {
    const same = best
      .slice(0, at)
      .some(
        (j) =>
          !copies.has(j) &&
          maybeCopies(pieces[i], pieces[j]) &&
          mayBeAlike(pairsOf(i), pairsOf(j)) &&
          jaccard(shinglesOf(i), shinglesOf(j)) >= NEAR_DUPLICATE,
      )
    if (same) copies.add(i)
  })
  return copies
}

function maybeCopies(a: CodePiece | undefined, b: CodePiece | undefined): boolean {
  if (!a || !b || a.path === b.path) return false
  const longer = Math.max(a.body.length, b.body.length)
  return (
    Math.abs(a.body.length - b.body.length) <= 0.1 * longer &&
    Math.abs(a.coverage - b.coverage) <= SAME_EVIDENCE &&
    Math.abs((a.closeness ?? 0) - (b.closeness ?? 0)) <= 1
  )
}

/**
 * Measures of a ranking of pieces of code against the files that answer a question. Pure.
 * @module
 */
import type { Target } from './code-data.ts'

/** A ranked piece, with the fields for judging it. */
export interface Piece {
  readonly path: string
  readonly start: number
  readonly end: number
}

export interface CodeMeasures {
  /** Over the first ten pieces of code files, scored like the authors of the set. */
  ndcg_chunks: number
  /** Over the first ten distinct files of any kind. */
  ndcg_files: number
  hit_1: number
  hit_5: number
  hit_10: number
}

const DEPTH = 10
/** Files without code: prose and configuration. */
const NO_CODE =
  /\.(?:md|mdx|markdown|rst|adoc|txt|ya?ml|json|jsonc|toml|lock|html?|css|ini|cfg|xml|properties|gradle|kts|mod|sum|plist|po|pot)$|(?:^|\/)(?:\.[^/]+|[A-Z]+)$/i

/** All measures of one question. */
export function measureCode(ranked: readonly Piece[], targets: readonly Target[]): CodeMeasures {
  const code = ranked.filter(({ path }) => isCode(path)).slice(0, DEPTH)
  const files = [...new Map(ranked.map((piece) => [piece.path, ranked.filter(({ path }) => path === piece.path)]))]
  const hit = (depth: number) =>
    files.slice(0, depth).some(([, pieces]) => targets.some((target) => pieces.some((piece) => answers(piece, target))))
      ? 1
      : 0
  return {
    ndcg_chunks: ndcgOf(
      targets.map((target) => code.findIndex((piece) => answers(piece, target))),
      targets.length,
    ),
    ndcg_files: ndcgOf(
      targets.map((target) =>
        files.slice(0, DEPTH).findIndex(([, pieces]) => pieces.some((piece) => answers(piece, target))),
      ),
      targets.length,
    ),
    hit_1: hit(1),
    hit_5: hit(5),
    hit_10: hit(10),
  }
}

/** Whether a file counts as code in measures of code only. */
export function isCode(path: string): boolean {
  return !NO_CODE.test(path)
}

/**
 * Whether a piece belongs to the target's file (either path may be a suffix of the other) and overlaps its lines, if
 * there are any.
 */
export function answers(piece: Piece, target: Target): boolean {
  const same =
    piece.path === target.path || piece.path.endsWith(`/${target.path}`) || target.path.endsWith(`/${piece.path}`)
  if (!same || target.start_line === undefined) return same
  return piece.start <= (target.end_line ?? target.start_line) && piece.end >= target.start_line
}

/** @param places positions of the targets, −1 if not found; equal positions count once */
function ndcgOf(places: readonly number[], targets: number): number {
  const discount = (place: number) => 1 / Math.log2(place + 2)
  const gained = [...new Set(places.filter((place) => place >= 0))].reduce((sum, place) => sum + discount(place), 0)
  let ideal = 0
  for (let place = 0; place < Math.min(DEPTH, targets); place++) ideal += discount(place)
  return ideal === 0 ? 0 : gained / ideal
}

/**
 * Evidence from earlier questions of a project: documents that are needed often, and documents that similar questions
 * needed. Pure functions.
 *
 * The item that an earlier question needed is never known for certain: votes are noisy, and items that were not shown
 * have no votes. So each question has a distribution over the documents of its candidates: its posterior given the
 * votes. The share of questions that needed a document is the mean of these distributions with a Dirichlet prior. The
 * share among similar questions is their mean weighted by a kernel of the cosine (Nadaraya 1964; Watson 1964), shrunk
 * towards the share among all questions.
 * @module
 */
import type { StoredNeeds } from '../../database/schema.ts'
import { fromBase64, toBase64 } from '../../encoding.ts'

/** Weight of the uniform prior, in questions. */
const UNIFORM_QUESTIONS = 5
/** Weight of the share among all questions against the share among similar ones, in questions of maximum similarity. */
const USUAL_QUESTIONS = 1
/** The kernel: exp((cosine − 1) / BANDWIDTH). */
const BANDWIDTH = 0.2
/** Less probable needs are ignored. */
const MIN_NEED = 0.02

/**
 * An earlier question: its unit vector as int8 codes, and the probability that it needed each document, keyed by the
 * document's hash.
 */
export interface EarlierQuestion {
  readonly vector: Int8Array | null
  readonly needs: ReadonlyMap<number, number>
}

/** The needs of a project's questions, and how strongly they shift a candidate. */
export interface Needs {
  /** Name of the embedding space of the questions. Vectors of other spaces are not compared. */
  readonly space: string
  readonly questions: readonly EarlierQuestion[]
  /** Weights of the two features, in log-odds per unit. */
  readonly usual: number
  readonly near: number
}

/** Two features of each candidate, in natural logarithms. */
export interface NeedFeatures {
  /** Share of all questions that needed the candidate's document, relative to the uniform share. */
  readonly usual: Float64Array
  /** Share of similar questions that needed it, relative to the share of all questions. */
  readonly near: Float64Array
}

/**
 * Computes the features of candidates from the needs of earlier questions.
 * @param documents hash of each candidate's document
 * @param similarities kernel value of each question, see {@link similarity}; 0 for a question that does not count as
 *   similar
 */
export function needFeatures(
  documents: readonly number[],
  questions: readonly EarlierQuestion[],
  similarities: ArrayLike<number>,
): NeedFeatures {
  const distinct = [...new Set(documents)]
  const all = new Map<number, number>()
  const similar = new Map<number, number>()
  let total = 0
  questions.forEach(({ needs }, i) => {
    const weight = similarities[i] ?? 0
    total += weight
    for (const [document, probability] of needs) {
      all.set(document, (all.get(document) ?? 0) + probability)
      if (weight > 0) similar.set(document, (similar.get(document) ?? 0) + weight * probability)
    }
  })
  const uniform = 1 / Math.max(1, distinct.length)
  const features = new Map(
    distinct.map((document) => {
      const share = ((all.get(document) ?? 0) + UNIFORM_QUESTIONS * uniform) / (questions.length + UNIFORM_QUESTIONS)
      const near = ((similar.get(document) ?? 0) + USUAL_QUESTIONS * share) / (total + USUAL_QUESTIONS)
      return [document, [Math.log(share / uniform), Math.log(near / share)] as const]
    }),
  )
  return {
    usual: Float64Array.from(documents, (document) => features.get(document)?.[0] ?? 0),
    near: Float64Array.from(documents, (document) => features.get(document)?.[1] ?? 0),
  }
}

/** Kernel value of two questions, 0 to 1; 0 if either has no vector. */
export function similarity(a: Int8Array | null, b: Int8Array | null): number {
  if (!a || !b || a.length !== b.length) return 0
  let [dot, normA, normB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0]
    dot += x * y
    normA += x * x
    normB += y * y
  }
  if (normA === 0 || normB === 0) return 0
  return Math.exp((dot / Math.sqrt(normA * normB) - 1) / BANDWIDTH)
}

/** A vector as int8 codes: the largest magnitude becomes ±127. */
export function quantised(vector: Float32Array | null): Int8Array | null {
  if (!vector) return null
  const peak = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return peak > 0 ? Int8Array.from(vector, (value) => Math.round((value / peak) * 127)) : null
}

/** A candidate's shift by the needs in a project's model: its weighted features, in log-odds. */
export function needShifts(
  { questions, usual, near, space }: Needs,
  documents: readonly number[],
  query: { readonly vector: Float32Array | null; readonly space: string },
): Float64Array {
  const own = query.space === space ? quantised(query.vector) : null
  const features = needFeatures(
    documents,
    questions,
    questions.map(({ vector }) => similarity(own, vector)),
  )
  return features.usual.map((value, i) => usual * value + near * (features.near[i] ?? 0))
}

/** The documents of a question with the probability that it needed each, without improbable ones. */
export function needsOf(documents: readonly number[], probabilities: ArrayLike<number>): Map<number, number> {
  const needs = new Map<number, number>()
  documents.forEach((document, i) => {
    needs.set(document, (needs.get(document) ?? 0) + (probabilities[i] ?? 0))
  })
  return new Map([...needs].filter(([, probability]) => probability >= MIN_NEED))
}

export function encodeNeeds({ space, usual, near, questions }: Needs): StoredNeeds {
  return {
    space,
    usual,
    near,
    questions: questions.map(({ vector, needs }) => [
      vector && toBase64(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)),
      ...[...needs].flatMap(([document, probability]) => [document, Math.round(1e3 * probability) / 1e3]),
    ]),
  }
}

export function decodeNeeds({ space, usual, near, questions }: StoredNeeds): Needs {
  return {
    space,
    usual,
    near,
    questions: questions.map(([code, ...pairs]): EarlierQuestion => {
      const bytes = code === null ? null : fromBase64(code)
      const needs = new Map<number, number>()
      for (let at = 0; at + 1 < pairs.length; at += 2) needs.set(pairs[at] ?? 0, pairs[at + 1] ?? 0)
      return { vector: bytes && new Int8Array(bytes.buffer), needs }
    }),
  }
}

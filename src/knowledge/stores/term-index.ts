/**
 * The words of one collection in memory: an inverted index in typed arrays. One pass over the query's postings computes
 * the exact BM25 of every item. The table of term lists is the source of truth. The index is built on first use.
 * @module
 */
import { BM25_B, BM25_K1, type KeywordEvidence, type KeywordPlan } from '../../text/keyword-plan.ts'
import { FREQUENCY_UNIT, readTermList } from '../../text/term-list.ts'
import { buildSegment, EMPTY_SEGMENT, mergeSegment, PACKED_ROW, rangeOf, type Segment } from './segment.ts'
import type { SnapshotArrays, StoredSnapshot } from './stored-snapshot.ts'
import { TopK } from './top-k.ts'

/** Recent postings are merged into the main segment when they exceed this number and this share of it. */
const MAX_RECENT = 50_000
const RECENT_SHARE = 0.1

export class TermIndex {
  #main: Segment = EMPTY_SEGMENT
  /** Recent writes: postings by term hash, each as row · PACKED_ROW + frequency. */
  readonly #recent = new Map<number, number[]>()
  #recentPostings = 0
  /** By row: length in terms (0: no item), and whether its postings in the main segment are stale. */
  #lengths = new Uint32Array(1024)
  #stale = new Uint8Array(1024)
  #staleRows = 0
  #items = 0
  #totalLength = 0
  /** By row: the scores of the last search; the index, from 1, of a row whose evidence is being collected. */
  #scores = new Float32Array(1024)
  #places = new Uint16Array(1024)

  /** Builds the index from all term lists. */
  static build(lists: Iterable<{ row: number; list: Uint8Array }>): TermIndex {
    const index = new TermIndex()
    index.#main = buildSegment(lists, (row, length) => index.#setLength(row, length))
    return index
  }

  /**
   * Restores the index from a snapshot and later changes.
   * @param since rows of the snapshot that have changed or been removed (`list` null), and rows that are not in the
   *   snapshot
   * @throws Error if the arrays are inconsistent
   */
  static restore(
    { numbers, arrays }: Pick<StoredSnapshot, 'numbers' | 'arrays'>,
    since: Iterable<{ row: number; list: Uint8Array | null }>,
  ): TermIndex {
    const index = new TermIndex()
    const words = (name: string) => new Uint32Array(arrays[name] ?? new ArrayBuffer(0))
    const main = {
      hashes: words('hashes'),
      offsets: words('offsets'),
      rows: words('rows'),
      frequencies: new Uint8Array(arrays.frequencies ?? new ArrayBuffer(0)),
    }
    const { rows, offsets, hashes, frequencies } = main
    const postings = offsets[hashes.length]
    if (postings !== rows.length || postings !== frequencies.length) throw new Error('The snapshot is incomplete.')
    index.#main = main
    // Stored plus one, so that an item without terms differs from no item.
    const lengths = words('lengths')
    index.#reserve(lengths.length)
    for (let row = 0; row < lengths.length; row++) index.#lengths[row] = Math.max(0, (lengths[row] ?? 0) - 1)
    index.#items = numbers.items ?? 0
    index.#totalLength = numbers.totalLength ?? 0
    for (const { row, list } of since) {
      const stored = lengths[row] ?? 0
      if (stored > 0) {
        index.#stale[row] = 1
        index.#staleRows++
        index.#lengths[row] = 0
        index.#items--
        index.#totalLength -= stored - 1
        lengths[row] = 0
      }
      if (list) index.add(row, list)
    }
    return index
  }

  /**
   * The index in the format of a snapshot. Recent writes are merged first.
   * @param all rows with items, including items without terms
   */
  snapshot(rows: Iterable<number>): { numbers: Record<string, number>; arrays: SnapshotArrays } {
    if (this.#recentPostings > 0 || this.#staleRows > 0) this.#merge()
    const lengths = new Uint32Array(this.#lengths.length)
    for (const row of rows) lengths[row] = (this.#lengths[row] ?? 0) + 1
    return {
      numbers: { items: this.#items, totalLength: this.#totalLength },
      arrays: { ...this.#main, lengths },
    }
  }

  get items(): number {
    return this.#items
  }

  /** Mean length of the items in terms; 0 without items. */
  get averageLength(): number {
    return this.#items === 0 ? 0 : this.#totalLength / this.#items
  }

  /** Bytes held by the typed arrays. */
  get bytes(): number {
    return [
      this.#main.hashes,
      this.#main.offsets,
      this.#main.rows,
      this.#main.frequencies,
      this.#lengths,
      this.#stale,
      this.#scores,
      this.#places,
    ].reduce((sum, array) => sum + array.byteLength, 0)
  }

  /** Adds an item in an empty row. */
  add(row: number, list: Uint8Array): void {
    const { length, hashes, frequencies } = readTermList(list)
    this.#setLength(row, length)
    hashes.forEach((hash, i) => {
      const posting = row * PACKED_ROW + (frequencies[i] ?? 0)
      const known = this.#recent.get(hash)
      if (known) known.push(posting)
      else this.#recent.set(hash, [posting])
    })
    this.#recentPostings += hashes.length
    if (this.#recentPostings > Math.max(MAX_RECENT, RECENT_SHARE * this.#main.rows.length)) this.#merge()
  }

  /** Removes the item of a row, given the term list with which it was added. */
  remove(row: number, list: Uint8Array): void {
    const { length, hashes } = readTermList(list)
    let recent = 0
    for (const hash of hashes) {
      const postings = this.#recent.get(hash)
      const at = postings?.findIndex((posting) => Math.floor(posting / PACKED_ROW) === row) ?? -1
      if (!postings || at === -1) continue
      postings.splice(at, 1)
      recent++
    }
    this.#recentPostings -= recent
    if (recent === 0 && this.#stale[row] === 0) {
      this.#stale[row] = 1
      this.#staleRows++
    }
    this.#lengths[row] = 0
    this.#items--
    this.#totalLength -= length
  }

  /** Number of items that contain a term. */
  documentFrequency(hash: number): number {
    const { rows } = this.#main
    const [start, end] = rangeOf(this.#main, hash)
    const recent = this.#recent.get(hash)?.length ?? 0
    if (this.#staleRows === 0) return end - start + recent
    let count = recent
    for (let at = start; at < end; at++) if (this.#stale[rows[at] ?? 0] === 0) count++
    return count
  }

  /**
   * Scores every item that contains a term of the plan.
   * @returns the rows by decreasing BM25, at most `limit`, equal scores in row order; `evidence` is valid for these and
   *   any other rows until the next search
   */
  search(plan: KeywordPlan, limit: number, allowed?: ReadonlySet<number>): number[] {
    const scores = this.#scores.fill(0)
    const [lengths, stale] = [this.#lengths, this.#stale]
    const { rows, frequencies } = this.#main
    const flat = BM25_K1 * (1 - BM25_B)
    const slope = (BM25_K1 * BM25_B) / Math.max(1, plan.averageLength)
    for (const { hash, weight } of plan.terms) {
      const most = weight * (BM25_K1 + 1)
      const [start, end] = rangeOf(this.#main, hash)
      for (let at = start; at < end; at++) {
        const row = rows[at] as number
        if (stale[row] !== 0) continue
        const norm = flat + slope * (lengths[row] as number)
        scores[row] = (scores[row] as number) + saturated(most, frequencies[at] as number, norm)
      }
      for (const packed of this.#recent.get(hash) ?? []) {
        const row = Math.floor(packed / PACKED_ROW)
        const norm = flat + slope * (lengths[row] ?? 0)
        scores[row] = (scores[row] ?? 0) + saturated(most, packed % PACKED_ROW, norm)
      }
    }
    return this.#best(limit, allowed)
  }

  /** The evidence of the last search for the given rows, in their order; fewer than 65,536 rows. */
  evidence(plan: KeywordPlan, wanted: readonly number[]): KeywordEvidence[] {
    const places = this.#places
    const covered = new Float64Array(wanted.length)
    const matched = new Uint32Array(wanted.length)
    for (const [i, row] of wanted.entries()) places[row] = i + 1
    const { rows } = this.#main
    for (const { hash, idf } of plan.terms) {
      const note = (row: number) => {
        const place = (places[row] ?? 0) - 1
        covered[place] = (covered[place] ?? 0) + idf
        matched[place] = (matched[place] ?? 0) + 1
      }
      const [start, end] = rangeOf(this.#main, hash)
      for (let at = start; at < end; at++) {
        const row = rows[at] as number
        if (places[row] !== 0 && this.#stale[row] === 0) note(row)
      }
      for (const packed of this.#recent.get(hash) ?? []) {
        const row = Math.floor(packed / PACKED_ROW)
        if (places[row] !== 0) note(row)
      }
    }
    for (const row of wanted) places[row] = 0
    return wanted.map((row, i) => ({
      score: this.#scores[row] ?? 0,
      coverage: plan.totalIdf > 0 ? Math.min(1, (covered[i] ?? 0) / plan.totalIdf) : 0,
      matched: matched[i] ?? 0,
      length: this.#lengths[row] ?? 0,
    }))
  }

  /** The rows with the greatest positive scores; equal scores in row order. */
  #best(limit: number, allowed?: ReadonlySet<number>): number[] {
    const scores = this.#scores
    const best = new TopK(limit, 0)
    for (let row = 0; row < scores.length; row++) {
      const score = scores[row] as number
      if (score > best.floor && (!allowed || allowed.has(row))) best.add(row, score)
    }
    return best.rows
  }

  /** Merges the main segment and the recent postings into a new main segment. */
  #merge(): void {
    this.#main = mergeSegment(this.#main, this.#recent, this.#stale)
    this.#recent.clear()
    this.#recentPostings = 0
    this.#stale.fill(0)
    this.#staleRows = 0
  }

  #setLength(row: number, length: number): void {
    if (row >= this.#lengths.length) this.#reserve(Math.max(row + 1, Math.ceil(this.#lengths.length * 1.5)))
    this.#lengths[row] = length
    this.#items++
    this.#totalLength += length
  }

  /** Ensures capacity for the given number of rows. */
  #reserve(size: number): void {
    if (size <= this.#lengths.length) return
    const grow = <T extends Uint32Array | Uint16Array | Uint8Array | Float32Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.#lengths = grow(this.#lengths, new Uint32Array(size))
    this.#stale = grow(this.#stale, new Uint8Array(size))
    this.#scores = grow(this.#scores, new Float32Array(size))
    this.#places = grow(this.#places, new Uint16Array(size))
  }
}

/**
 * A term's contribution to a score, given the contribution at infinite frequency (BM25, Robertson and Zaragoza 2009,
 * section 3.4).
 */
function saturated(most: number, units: number, norm: number): number {
  const frequency = units * FREQUENCY_UNIT
  return (most * frequency) / (frequency + norm)
}

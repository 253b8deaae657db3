/**
 * The words of one collection in memory: an inverted index in typed arrays, from which every item's exact BM25 is summed in
 * one pass over the query's postings. Its source of truth is the table of term lists; it is built when first needed.
 * @module
 */
import { BM25_B, BM25_K1, type KeywordEvidence, type KeywordPlan } from '../../text/keyword-plan.ts'
import { FREQUENCY_UNIT, readTermList } from '../../text/term-list.ts'
import { buildSegment, EMPTY_SEGMENT, mergeSegment, PACKED_ROW, rangeOf, type Segment } from './segment.ts'
import type { SnapshotArrays, StoredSnapshot } from './stored-snapshot.ts'
import { TopK } from './top-k.ts'

/** Postings beside the main segment are merged into it beyond this number and this share of it. */
const MAX_RECENT = 50_000
const RECENT_SHARE = 0.1

export class TermIndex {
  #main: Segment = EMPTY_SEGMENT
  /** What was written since: postings by term hash, each as row · PACKED_ROW + frequency. */
  readonly #recent = new Map<number, number[]>()
  #recentPostings = 0
  /** By row: length in terms (0: no such item), and whether its postings in the main segment are out of date. */
  #lengths = new Uint32Array(1024)
  #stale = new Uint8Array(1024)
  #staleRows = 0
  #items = 0
  #totalLength = 0
  /** By row: the scores of the last search; the place of a row whose evidence is being gathered, from 1. */
  #scores = new Float32Array(1024)
  #places = new Uint16Array(1024)

  /** Builds the index from all term lists. */
  static build(lists: Iterable<{ row: number; list: Uint8Array }>): TermIndex {
    const index = new TermIndex()
    index.#main = buildSegment(lists, (row, length) => index.#setLength(row, length))
    return index
  }

  /**
   * The index of a snapshot with what has changed since.
   * @param since rows that the snapshot holds and that have changed or gone, with `list` null, and rows that it doesn't hold
   * @throws Error when the arrays don't belong together
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
    if (postings !== rows.length || postings !== frequencies.length) throw new Error('The snapshot is not whole.')
    index.#main = main
    // Stored one higher, so that an item without terms differs from none.
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
   * The index as a snapshot stores it; what was written lately is merged first.
   * @param rows that hold items, those without terms too
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

  /** Adds the item of a row that holds none. */
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

  /** Removes the item of a row, given the term list that it was added with. */
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

  /** Number of items that hold a term. */
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
   * Scores every item that holds a term of the plan.
   * @returns the rows by falling BM25, at most `limit`, equal scores in order of row; `evidence` answers for these and any other rows
   *   until the next search
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

  /** The evidence of the last search for some rows, in their order; fewer than 65,536 of them. */
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

  /** The rows with the greatest scores over 0; equal scores in order of row. */
  #best(limit: number, allowed?: ReadonlySet<number>): number[] {
    const scores = this.#scores
    const best = new TopK(limit, 0)
    for (let row = 0; row < scores.length; row++) {
      const score = scores[row] as number
      if (score > best.floor && (!allowed || allowed.has(row))) best.add(row, score)
    }
    return best.rows
  }

  /** Writes main segment and recent postings into one new main segment. */
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

  /** Makes room for so many rows. */
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

/** What a term adds to a score, given what it would add if said without end (BM25, Robertson and Zaragoza 2009, section 3.4). */
function saturated(most: number, units: number, norm: number): number {
  const frequency = units * FREQUENCY_UNIT
  return (most * frequency) / (frequency + norm)
}

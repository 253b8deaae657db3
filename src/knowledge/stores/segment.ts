/**
 * Postings of many items in typed arrays, by term. Pure. A segment is immutable.
 * @module
 */
import { readTermList } from '../../text/term-list.ts'

export interface Segment {
  /** Distinct term hashes, ascending. The postings of hash i are at offsets[i] … offsets[i + 1] − 1. */
  readonly hashes: Uint32Array
  readonly offsets: Uint32Array
  /** Row of each posting, and the frequency of the term in units of FREQUENCY_UNIT. */
  readonly rows: Uint32Array
  readonly frequencies: Uint8Array
}

export const EMPTY_SEGMENT: Segment = {
  hashes: new Uint32Array(0),
  offsets: new Uint32Array(1),
  rows: new Uint32Array(0),
  frequencies: new Uint8Array(0),
}

/** Postings as numbers: row · 256 + frequency. */
export const PACKED_ROW = 256

/**
 * Hashes are sorted in one part for each value of their first four bits. Fewer parts need more memory in addition to
 * the segment, more parts need more jumps between lists.
 */
const PARTS = 16
const PART_SHIFT = 28
/** The remaining bits of a hash are sorted in rounds of this many bits, least significant first. */
const ROUND_BITS = 10
const ROUND_SIZE = 1 << ROUND_BITS
const ROUND_SHIFTS = [0, ROUND_BITS, 2 * ROUND_BITS]
const GROWTH = 1.5

/**
 * Builds a segment from term lists in linear time. Uses radix sort, because hashing each posting takes ten times as
 * long.
 * @param each called with every row's length in terms
 */
export function buildSegment(
  lists: Iterable<{ row: number; list: Uint8Array }>,
  each: (row: number, length: number) => void,
): Segment {
  const { keys, frequencies, ends, owners } = concatenated(lists, each)
  const at = new Uint32Array(ends.length)
  for (let i = 1; i < ends.length; i++) at[i] = ends[i - 1] ?? 0
  const segment = new SegmentWriter(keys.length)
  const part = new PartSorter()
  for (let first = 0; first < PARTS; first++) {
    part.clear()
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] ?? 0
      let next = at[i] ?? 0
      for (; next < end && (keys[next] ?? 0) >>> PART_SHIFT === first; next++) {
        part.add(keys[next] ?? 0, owners[i] ?? 0, frequencies[next] ?? 0)
      }
      at[i] = next
    }
    part.sorted((key, row, frequency) => segment.add(key, row, frequency))
  }
  return segment.end()
}

/** Adds recent postings to a segment and drops stale rows, in time linear in the number of postings. */
export function mergeSegment(
  segment: Segment,
  recent: ReadonlyMap<number, readonly number[]>,
  stale: Uint8Array,
): Segment {
  const added = Uint32Array.from(recent.keys()).sort()
  let postings = segment.rows.length
  for (const list of recent.values()) postings += list.length
  const merged = new SegmentWriter(postings)
  let [old, fresh] = [0, 0]
  while (old < segment.hashes.length || fresh < added.length) {
    const known = old < segment.hashes.length ? (segment.hashes[old] ?? 0) : Number.POSITIVE_INFINITY
    const coming = fresh < added.length ? (added[fresh] ?? 0) : Number.POSITIVE_INFINITY
    const hash = Math.min(known, coming)
    if (known === hash) {
      for (let i = segment.offsets[old] ?? 0; i < (segment.offsets[old + 1] ?? 0); i++) {
        const row = segment.rows[i] ?? 0
        if (stale[row] !== 1) merged.add(hash, row, segment.frequencies[i] ?? 0)
      }
      old++
    }
    if (coming === hash) {
      for (const packed of recent.get(hash) ?? []) {
        merged.add(hash, Math.floor(packed / PACKED_ROW), packed % PACKED_ROW)
      }
      fresh++
    }
  }
  return merged.end()
}

/** Start and end of a term's postings. */
export function rangeOf({ hashes, offsets }: Segment, hash: number): [start: number, end: number] {
  let low = 0
  let high = hashes.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = hashes[middle] ?? 0
    if (found === hash) return [offsets[middle] ?? 0, offsets[middle + 1] ?? 0]
    if (found < hash) low = middle + 1
    else high = middle - 1
  }
  return [0, 0]
}

/** All postings of the lists, concatenated: hashes, frequencies, and the end and row of each list. */
function concatenated(lists: Iterable<{ row: number; list: Uint8Array }>, each: (row: number, length: number) => void) {
  let keys = new Uint32Array(4096)
  let frequencies = new Uint8Array(4096)
  const ends: number[] = []
  const owners: number[] = []
  let postings = 0
  for (const { row, list } of lists) {
    const read = readTermList(list)
    each(row, read.length)
    const end = postings + read.hashes.length
    if (end > keys.length) {
      const size = Math.ceil(end * GROWTH)
      keys = grown(keys, new Uint32Array(size))
      frequencies = grown(frequencies, new Uint8Array(size))
    }
    keys.set(read.hashes, postings)
    frequencies.set(read.frequencies, postings)
    postings = end
    ends.push(end)
    owners.push(row)
  }
  return { keys: keys.subarray(0, postings), frequencies, ends, owners }
}

/** Writes postings in ascending order of hash. */
class SegmentWriter {
  #hashes = new Uint32Array(1024)
  #offsets = new Uint32Array(1025)
  readonly #rows: Uint32Array
  readonly #frequencies: Uint8Array
  #distinct = 0
  #written = 0

  constructor(postings: number) {
    this.#rows = new Uint32Array(postings)
    this.#frequencies = new Uint8Array(postings)
  }

  add(hash: number, row: number, frequency: number): void {
    if (this.#distinct === 0 || this.#hashes[this.#distinct - 1] !== hash) {
      if (this.#distinct === this.#hashes.length) {
        const size = Math.ceil(this.#distinct * GROWTH)
        this.#hashes = grown(this.#hashes, new Uint32Array(size))
        this.#offsets = grown(this.#offsets, new Uint32Array(size + 1))
      }
      this.#hashes[this.#distinct++] = hash
    }
    this.#rows[this.#written] = row
    this.#frequencies[this.#written++] = frequency
    this.#offsets[this.#distinct] = this.#written
  }

  end(): Segment {
    const full = this.#written === this.#rows.length
    return {
      hashes: this.#hashes.slice(0, this.#distinct),
      offsets: this.#offsets.slice(0, this.#distinct + 1),
      rows: full ? this.#rows : this.#rows.slice(0, this.#written),
      frequencies: full ? this.#frequencies : this.#frequencies.slice(0, this.#written),
    }
  }
}

/** Sorts the postings of one part by hash. The sort is stable. */
class PartSorter {
  #keys = new Uint32Array(1024)
  #rows = new Uint32Array(1024)
  #frequencies = new Uint8Array(1024)
  #order = new Uint32Array(1024)
  #next = new Uint32Array(1024)
  readonly #counts = new Uint32Array(ROUND_SIZE)
  #size = 0

  clear(): void {
    this.#size = 0
  }

  add(key: number, row: number, frequency: number): void {
    if (this.#size === this.#keys.length) {
      const size = Math.ceil(this.#size * GROWTH)
      this.#keys = grown(this.#keys, new Uint32Array(size))
      this.#rows = grown(this.#rows, new Uint32Array(size))
      this.#frequencies = grown(this.#frequencies, new Uint8Array(size))
      this.#order = new Uint32Array(size)
      this.#next = new Uint32Array(size)
    }
    this.#keys[this.#size] = key
    this.#rows[this.#size] = row
    this.#frequencies[this.#size++] = frequency
  }

  sorted(visit: (key: number, row: number, frequency: number) => void): void {
    const size = this.#size
    if (size === 0) return
    for (let i = 0; i < size; i++) this.#order[i] = i
    for (const shift of ROUND_SHIFTS) this.#round(size, shift)
    for (let i = 0; i < size; i++) {
      const at = this.#order[i] ?? 0
      visit(this.#keys[at] ?? 0, this.#rows[at] ?? 0, this.#frequencies[at] ?? 0)
    }
  }

  /** One stable counting sort by a group of bits of the hashes. */
  #round(size: number, shift: number): void {
    const [keys, counts, order, next] = [this.#keys, this.#counts, this.#order, this.#next]
    counts.fill(0)
    for (let i = 0; i < size; i++) {
      const digit = ((keys[i] ?? 0) >>> shift) & (ROUND_SIZE - 1)
      counts[digit] = (counts[digit] ?? 0) + 1
    }
    let start = 0
    for (let digit = 0; digit < ROUND_SIZE; digit++) {
      const count = counts[digit] ?? 0
      counts[digit] = start
      start += count
    }
    for (let i = 0; i < size; i++) {
      const at = order[i] ?? 0
      const digit = ((keys[at] ?? 0) >>> shift) & (ROUND_SIZE - 1)
      const to = counts[digit] ?? 0
      counts[digit] = to + 1
      next[to] = at
    }
    this.#order = next
    this.#next = order
  }
}

function grown<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}

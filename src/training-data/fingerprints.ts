/**
 * Sets of texts by 64-bit fingerprints, so that a million of them fit into a few megabytes and into a file.
 * @module
 */

/** Two 32-bit halves. */
export type Fingerprint = readonly [number, number]

/**
 * A text's 64-bit fingerprint: two 32-bit FNV-1a hashes with different offsets. Equal texts have equal fingerprints.
 */
export function fingerprint(text: string): Fingerprint {
  let a = 0x811c9dc5
  let b = 0x9747b28c
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b ^ unit ^ (i & 0xff), 0x01000193)
  }
  return [a >>> 0, b >>> 0]
}

/** A set of fingerprints in insertion order: an open-addressing hash table over a growing list. */
export class FingerprintSet {
  /** Pairs in insertion order. */
  #list = new Uint32Array(2048)
  /** Index of a pair, from 1, by its hash; 0: free. */
  #slots = new Uint32Array(4096)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Size in bytes. */
  get bytes(): number {
    return this.#list.byteLength + this.#slots.byteLength
  }

  has(text: string): boolean {
    return this.#slots[this.#find(...fingerprint(text))] !== 0
  }

  clear(): void {
    this.#list = new Uint32Array(2048)
    this.#slots = new Uint32Array(4096)
    this.#size = 0
  }

  /** @returns whether the text is new */
  add(text: string): boolean {
    return this.#add(...fingerprint(text))
  }

  /** The pairs added after the first `from`, as stored. */
  since(from: number): Uint32Array {
    return this.#list.slice(from * 2, this.#size * 2)
  }

  /** Adds stored pairs. */
  load(pairs: Uint32Array): void {
    for (let i = 0; i + 1 < pairs.length; i += 2) this.#add(pairs[i] ?? 0, pairs[i + 1] ?? 0)
  }

  #add(a: number, b: number): boolean {
    const slot = this.#find(a, b)
    if (this.#slots[slot] !== 0) return false
    if (this.#size * 2 === this.#list.length) this.#list = grown(this.#list)
    this.#list[this.#size * 2] = a
    this.#list[this.#size * 2 + 1] = b
    this.#slots[slot] = ++this.#size
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return true
  }

  /** The slot of a pair, or the free slot where it belongs. */
  #find(a: number, b: number): number {
    const mask = this.#slots.length - 1
    for (let slot = (a ^ Math.imul(b, 0x9e3779b1)) & mask; ; slot = (slot + 1) & mask) {
      const at = this.#slots[slot] ?? 0
      if (at === 0 || (this.#list[at * 2 - 2] === a && this.#list[at * 2 - 1] === b)) return slot
    }
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let at = 1; at <= this.#size; at++) {
      this.#slots[this.#find(this.#list[at * 2 - 2] ?? 0, this.#list[at * 2 - 1] ?? 0)] = at
    }
  }
}

function grown(list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(list.length * 2)
  larger.set(list)
  return larger
}

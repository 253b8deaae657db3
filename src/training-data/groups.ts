/**
 * Groups near-duplicate prompts, so that no group is on both sides of a split. Uses 48 bytes of memory per example.
 * @module
 */

import { fnv1a, mix32 } from '../hash.ts'

/**
 * Bands and rows of the signature: pairs with Jaccard similarity 0.9 share a band with probability 0.998, pairs with
 * 0.8 with 0.96.
 */
const BANDS = 6
const ROWS = 4
/**
 * One bit of each of this many MinHashes is kept (b-bit minwise hashing, Li & König 2010) to check pairs that share a
 * band.
 */
const SKETCH_WORDS = 4
/**
 * Minimum estimated Jaccard similarity of near-duplicates among pairs that share a band. Its standard error is 0.05.
 */
const NEAR = 0.8
/** Maximum number of members of a bucket that a new one is compared with. */
const COMPARED = 16
/** Number of 32-bit words per example: its bands, its sketch, the hash of its key, and its flags. */
const WORDS = BANDS + SKETCH_WORDS + 2
const KEY = BANDS + SKETCH_WORDS
const FLAGS = KEY + 1

/**
 * Collects prompts in order, and then returns each prompt's group: prompts that share a band of their MinHash signature
 * over words (Broder 1997; banding as in Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4) and have a high
 * estimated similarity are in the same group, and so are prompts connected through others.
 */
export class PromptGroups {
  #words = new Uint32Array(1024 * WORDS)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Size in bytes. */
  get bytes(): number {
    return this.#words.byteLength
  }

  /**
   * @param key of the prompt's example
   * @param flags stored with it
   */
  add(prompt: string, key = '', flags = 0): void {
    const hashes = [...new Set(prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [prompt])].map(hashText)
    const minima = Array.from({ length: 32 * SKETCH_WORDS }, (_, permutation) => minimum(hashes, permutation))
    this.#reserve(this.#size + 1)
    const at = this.#size++ * WORDS
    for (let band = 0; band < BANDS; band++) {
      let hash = band
      for (let row = 0; row < ROWS; row++) hash = mix32(hash ^ (minima[band * ROWS + row] ?? 0))
      this.#words[at + band] = hash
    }
    for (let word = 0; word < SKETCH_WORDS; word++) {
      let bits = 0
      for (let bit = 0; bit < 32; bit++) bits = (bits << 1) | ((minima[word * 32 + bit] ?? 0) & 1)
      this.#words[at + BANDS + word] = bits
    }
    this.#words[at + KEY] = hashText(key)
    this.#words[at + FLAGS] = flags
  }

  /** Hash of the key of a prompt's example; see {@link inValidation}. */
  keyHash(index: number): number {
    return this.#words[index * WORDS + KEY] ?? 0
  }

  flags(index: number): number {
    return this.#words[index * WORDS + FLAGS] ?? 0
  }

  /** The data added after the first `from` prompts, as stored. */
  since(from: number): Uint32Array {
    return this.#words.slice(from * WORDS, this.#size * WORDS)
  }

  /** Adds stored data. */
  load(words: Uint32Array): void {
    const count = words.length / WORDS
    this.#reserve(this.#size + count)
    this.#words.set(words, this.#size * WORDS)
    this.#size += count
  }

  #reserve(size: number): void {
    if (size * WORDS <= this.#words.length) return
    const grown = new Uint32Array(Math.max(size, Math.ceil(this.#size * 1.5)) * WORDS)
    grown.set(this.#words)
    this.#words = grown
  }

  /** Index of the first prompt of each prompt's group, in insertion order. */
  groups(): Uint32Array {
    const count = this.#size
    const words = this.#words
    const parents = Uint32Array.from({ length: count }, (_, i) => i)
    const root = (index: number): number => {
      let at = index
      while (parents[at] !== at) {
        const grandparent = parents[parents[at] ?? 0] ?? 0
        parents[at] = grandparent
        at = grandparent
      }
      return at
    }
    for (let band = 0; band < BANDS; band++) {
      const of = (index: number) => words[index * WORDS + band] ?? 0
      const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => of(a) - of(b) || a - b)
      for (let i = 1; i < count; i++) {
        const right = order[i] ?? 0
        for (let j = i - 1; j >= 0 && j >= i - COMPARED; j--) {
          const left = order[j] ?? 0
          if (of(left) !== of(right)) break
          const [a, b] = [root(left), root(right)]
          if (a !== b && this.#similarity(left, right) >= NEAR) parents[Math.max(a, b)] = Math.min(a, b)
        }
      }
    }
    return parents.map((_, i) => root(i))
  }

  /** Estimated Jaccard similarity: bits agree with probability (1 + J) / 2. */
  #similarity(a: number, b: number): number {
    let different = 0
    for (let word = BANDS; word < KEY; word++) {
      different += ones((this.#words[a * WORDS + word] ?? 0) ^ (this.#words[b * WORDS + word] ?? 0))
    }
    return 1 - (2 * different) / (32 * SKETCH_WORDS)
  }
}

/** Number of one bits (Warren, Hacker's Delight, 5-1). */
function ones(value: number): number {
  let v = value - ((value >>> 1) & 0x55555555)
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/**
 * Whether a group belongs to the validation set. Depends only on the key of the group's first example, so adding
 * examples doesn't reshuffle the others.
 * @param keyHash of the key of the group's first example
 * @param share of groups in the validation set, 0 to 1
 */
export function inValidation(keyHash: number, share: number): boolean {
  return keyHash / 2 ** 32 < share
}

function minimum(hashes: readonly number[], permutation: number): number {
  let least = 0xffffffff
  for (const hash of hashes) {
    const permuted = mix32(hash ^ Math.imul(permutation + 1, 0x9e3779b1))
    if (permuted < least) least = permuted
  }
  return least
}

/** FNV-1a, finished by a mixer so that all bits are usable. */
function hashText(text: string): number {
  return mix32(fnv1a(text))
}

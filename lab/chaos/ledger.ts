/**
 * Records the answers to all agents. The coordinator's data is checked against it.
 * @module
 */

export type Outcome = 'success' | 'partial' | 'failure'

export interface Tracked {
  readonly id: string
  readonly caller: string
  readonly input: Readonly<{ query: string; response: string; context_ids: readonly string[]; tokens_used: number }>
}

/** An answered report or rating. */
export interface Report {
  readonly interaction: string
  readonly caller: string
  readonly key: string
  readonly outcome: Outcome | null
  readonly rating: number | null
}

export interface Augmented {
  readonly retrieval: string
  readonly query: string
  readonly contextIds: readonly string[]
  readonly conversation: string | null
  /**
   * Null: no conversation, or the answer reported that it was unavailable. Undefined: answered over MCP, which omits
   * the number.
   */
  readonly turn: number | null | undefined
}

export interface StoredDocument {
  readonly hash: string
  /** Text by item key. */
  readonly items: Readonly<Record<string, string>>
}

/** The record of all answers, filled by the agents. */
export class Ledger {
  /** By idempotency key. */
  readonly tracked = new Map<string, Tracked>()
  readonly reports: Report[] = []
  /** Correction by idempotency key. */
  readonly corrections = new Map<string, { readonly id: string; readonly correction: string }>()
  /** By path; null: removed. */
  readonly documents = new Map<string, StoredDocument | null>()
  readonly augmented: Augmented[] = []
  /** Routing decisions by id, with their query. */
  readonly decisions = new Map<string, string>()
  /** Ids of export jobs. */
  readonly exports = new Set<string>()
  /** Unexpected answers. */
  readonly astonishing: string[] = []
  /** Number of answered calls, and of attempts without an answer. */
  answered = 0
  failed = 0
  /** Attempts of augmentation and routing: each may have written its row before it died. */
  readonly attempts = { augment: 0, route: 0 }
}

/**
 * What the agents were told is stored: the truth that the coordinator is held to afterwards.
 * @module
 */

export type Outcome = 'success' | 'partial' | 'failure'

export interface Tracked {
  readonly id: string
  readonly caller: string
  readonly input: Readonly<{ query: string; response: string; context_ids: readonly string[]; tokens_used: number }>
}

/** A report or rating that was answered. */
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
  /** Null: no conversation, or the answer said that it could not be reached. Undefined: answered over MCP, which leaves the number out. */
  readonly turn: number | null | undefined
}

export interface StoredDocument {
  readonly hash: string
  /** Text by key of the item. */
  readonly items: Readonly<Record<string, string>>
}

/** Filled by the agents as answers come. */
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
  /** Ids of the jobs of exports. */
  readonly exports = new Set<string>()
  /** What an agent was answered that it should not have been. */
  readonly astonishing: string[] = []
  /** Calls that were answered, and attempts that had no answer. */
  answered = 0
  failed = 0
  /** Attempts at augmenting and routing: each may have left its row before it died. */
  readonly attempts = { augment: 0, route: 0 }
}

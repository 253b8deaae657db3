/**
 * The interface of conversations for the rest of the coordinator.
 * @module
 */
import type { Stretch } from '../knowledge/passages.ts'

/** One turn: the query, the context that was sent, and the answer. */
export interface Turn {
  readonly number: number
  /** The beginning of the query, see MAX_TEXT in conversation.ts. */
  readonly query: string
  readonly contextIds: readonly string[]
  /** Tokens of the context that was sent. */
  readonly tokens: number
  readonly queryTokens: number
  /** The beginning of the answer; null if none was tracked. */
  readonly answer: string | null
  readonly answerTokens: number | null
  readonly createdAt: number
}

/** An item that was shown, and when. */
export interface ShownContext {
  readonly contextId: string
  /** The item's number in the conversation. */
  readonly number: number
  readonly title: string
  /** Number of the latest turn that showed it. */
  readonly turn: number
  readonly tokens: number
}

/** A summary and its method. */
export interface Summary {
  readonly text: string
  /** extractive: the most informative sentences of the conversation, verbatim. */
  readonly method: 'extractive' | 'model'
  /** The last turn that it covers. */
  readonly throughTurn: number
}

/** The exported form of a conversation. */
export interface ConversationState {
  readonly id: string
  readonly turns: readonly Turn[]
  readonly shown: readonly ShownContext[]
  readonly summary: Summary
  /** Number of turns that were dropped because of the limit. */
  readonly droppedTurns: number
  readonly createdAt: number
  readonly expiresAt: number
}

/** A stored value. Conversations have no binary columns. */
export type StoredValue = string | number | null

/** Everything that a conversation stores, for a backup: its rows by table, and its end. */
export interface StoredConversation {
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, StoredValue>>[]>>
  /** Milliseconds since 1970; null: it does not expire. */
  readonly expiresAt: number | null
}

/** The parts of an item that the model still has. */
export interface RecalledContext {
  readonly contextId: string
  /** Version of the shown item. */
  readonly version: number
  readonly number: number
  readonly stretches: readonly Stretch[]
}

/** The result of earlier turns for the next one. */
export interface Recall {
  readonly contexts: readonly RecalledContext[]
  /** The next free item number. */
  readonly nextNumber: number
  readonly turns: number
}

/** An item of context in a turn. */
export interface ShownItem {
  readonly contextId: string
  /** Changes with the item's text. */
  readonly version: number
  readonly title: string
  readonly stretches: readonly Stretch[]
  readonly tokens: number
}

export interface NewTurn {
  /** Identifies the turn. Adding it twice changes nothing and returns the same result. */
  readonly key: string
  readonly query: string
  readonly queryTokens: number
  readonly tokens: number
  readonly shown: readonly ShownItem[]
}

export interface AddedTurn {
  readonly turnNumber: number
  /** The number of each shown item, in order. */
  readonly numbers: number[]
}

export interface ConversationClient {
  /**
   * The shown context that is still in the model's window.
   * @param windowTokens number of conversation tokens that a model is assumed to remember
   */
  recall(project: string, id: string, windowTokens: number): Promise<Recall>
  /** Adds a turn. The object numbers turns in order of arrival and restarts its lifetime. */
  addTurn(project: string, id: string, turn: NewTurn): Promise<AddedTurn>
  /** Adds context to the latest turn, e.g. items that were requested in full. */
  addContext(project: string, id: string, tokens: number, shown: readonly ShownItem[]): Promise<AddedTurn>
  /** Stores the answer to the latest unanswered turn with this query. Returns false if there is none. */
  addAnswer(project: string, id: string, answer: { query: string; response: string; tokens: number }): Promise<boolean>
  /** Replaces the summary, unless the existing one already covers a later turn. */
  saveSummary(project: string, id: string, summary: Summary): Promise<void>
  /** The whole conversation; null if it doesn't exist. */
  read(project: string, id: string): Promise<ConversationState | null>
  /** Returns whether the conversation existed. */
  delete(project: string, id: string): Promise<boolean>
  /** Everything that it stores; null if it doesn't exist. */
  dump(project: string, id: string): Promise<StoredConversation | null>
  /** Replaces the conversation with a dump. */
  load(project: string, id: string, stored: StoredConversation): Promise<void>
}

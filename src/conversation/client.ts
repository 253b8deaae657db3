/**
 * What the rest of the coordinator sees of a conversation.
 * @module
 */
import type { Stretch } from '../knowledge/passages.ts'

/** One turn: what was asked, which context was sent for it, and what was answered. */
export interface Turn {
  readonly number: number
  /** The beginning of the query, see MAX_TEXT in conversation.ts. */
  readonly query: string
  readonly contextIds: readonly string[]
  /** Tokens of context that were sent. */
  readonly tokens: number
  readonly queryTokens: number
  /** The beginning of the answer; null while none was tracked. */
  readonly answer: string | null
  readonly answerTokens: number | null
  readonly createdAt: number
}

/** What was shown of one item, and when. */
export interface ShownContext {
  readonly contextId: string
  /** The number under which the model knows it. */
  readonly number: number
  readonly title: string
  /** Turn of the latest showing. */
  readonly turn: number
  readonly tokens: number
}

/** A summary, and how it was made. */
export interface Summary {
  readonly text: string
  /** extractive: the most telling sentences of the conversation as they were said. */
  readonly method: 'extractive' | 'model'
  /** The last turn that it covers. */
  readonly throughTurn: number
}

/** A conversation as it is exported. */
export interface ConversationState {
  readonly id: string
  readonly turns: readonly Turn[]
  readonly shown: readonly ShownContext[]
  readonly summary: Summary
  /** Turns that were dropped because there were too many. */
  readonly droppedTurns: number
  readonly createdAt: number
  readonly expiresAt: number
}

/** What the model still has of one item. */
export interface RecalledContext {
  readonly contextId: string
  /** Version of the item that was shown. */
  readonly version: number
  readonly number: number
  readonly stretches: readonly Stretch[]
}

/** What earlier turns leave for the next one. */
export interface Recall {
  readonly contexts: readonly RecalledContext[]
  /** The first number that no item has yet. */
  readonly nextNumber: number
  readonly turns: number
}

/** Context that a turn shows. */
export interface ShownItem {
  readonly contextId: string
  /** Changes whenever the item's text does. */
  readonly version: number
  readonly title: string
  readonly stretches: readonly Stretch[]
  readonly tokens: number
}

export interface NewTurn {
  /** Identifies the turn: adding it twice changes nothing and returns the same. */
  readonly key: string
  readonly query: string
  readonly queryTokens: number
  readonly tokens: number
  readonly shown: readonly ShownItem[]
}

export interface AddedTurn {
  readonly turnNumber: number
  /** The number of each shown item, in their order. */
  readonly numbers: number[]
}

export interface ConversationClient {
  /**
   * What was shown and is still within reach of the model.
   * @param windowTokens tokens of conversation after which a model is taken to have lost what was said
   */
  recall(project: string, id: string, windowTokens: number): Promise<Recall>
  /** Adds a turn; the object numbers turns in the order of arrival and restarts its lifetime. */
  addTurn(project: string, id: string, turn: NewTurn): Promise<AddedTurn>
  /** Adds context to the latest turn, e.g. items that were asked for in full. */
  addContext(project: string, id: string, tokens: number, shown: readonly ShownItem[]): Promise<AddedTurn>
  /** Notes the answer to the latest unanswered turn with this query; false when there is none. */
  addAnswer(project: string, id: string, answer: { query: string; response: string; tokens: number }): Promise<boolean>
  /** Replaces the summary, unless a later turn is covered already. */
  saveSummary(project: string, id: string, summary: Summary): Promise<void>
  /** The whole conversation; null when there is none. */
  read(project: string, id: string): Promise<ConversationState | null>
  /** Whether there was one to delete. */
  delete(project: string, id: string): Promise<boolean>
}

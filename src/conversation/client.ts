/**
 * What the rest of the coordinator sees of a conversation.
 * @module
 */

/** One turn: what was asked and which context was sent for it. */
export interface Turn {
  readonly number: number
  readonly query: string
  readonly contextIds: readonly string[]
  readonly tokens: number
  readonly createdAt: number
}

export interface ConversationState {
  readonly id: string
  readonly turns: readonly Turn[]
  readonly createdAt: number
  readonly expiresAt: number
}

export interface ConversationClient {
  /** Adds a turn; the object numbers turns in the order of arrival. */
  addTurn(
    project: string,
    id: string,
    turn: { query: string; contextIds: readonly string[]; tokens: number },
  ): Promise<{ turnNumber: number }>
  /** Context ids sent in earlier turns. */
  sentContext(project: string, id: string): Promise<string[]>
  /** The whole conversation; null when there is none. */
  read(project: string, id: string): Promise<ConversationState | null>
  /** Whether there was one to delete. */
  delete(project: string, id: string): Promise<boolean>
}

/**
 * What every chat model offers.
 * @module
 */

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export interface ChatReply {
  readonly content: string
  readonly model: string
  /** Tokens as counted by the model's own server; null when it did not say. */
  readonly promptTokens: number | null
  readonly completionTokens: number | null
}

export interface ChatModel {
  readonly name: string
  /**
   * One complete answer.
   * @throws CoordinatorError `engine_unavailable` when no whole answer comes within the deadline
   */
  complete(messages: readonly ChatMessage[], options?: { maxTokens?: number; deadlineMs?: number }): Promise<ChatReply>
}

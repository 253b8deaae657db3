/**
 * The interface of chat models.
 * @module
 */

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export interface ChatReply {
  readonly content: string
  readonly model: string
  /** Tokens as counted by the model's server; null if it doesn't report them. */
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  /**
   * Why the answer ended: by itself, at the token limit, or at the deadline. At the deadline, the content is the part
   * received so far.
   */
  readonly finish: 'stop' | 'length' | 'deadline'
}

export interface ChatOptions {
  /** Model to request instead of the default, if the server has several. */
  readonly model?: string
  readonly maxTokens?: number
  /** Deadline for the whole answer, in milliseconds. Default: the model's own. */
  readonly deadlineMs?: number
  /** 0: always the most likely token. */
  readonly temperature?: number
  /** JSON Schema of the answer. The content is then JSON. */
  readonly schema?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

/** One part of a streamed answer. */
export interface ChatPiece {
  readonly content: string
  /** Set only on the last part: why the answer ended. */
  readonly finish?: 'stop' | 'length'
  readonly model: string
  /** Set on the last part, if the server counts tokens. */
  readonly promptTokens?: number
  readonly completionTokens?: number
}

export interface ChatModel {
  readonly name: string
  /**
   * Requests one answer of at most `maxTokens` tokens. A model can violate a schema, for example if its answer reaches
   * the limit: the caller checks the content.
   * @throws CoordinatorError `engine_unavailable` if the answer breaks off, or if nothing (with a schema: no complete
   *   answer) arrives before the deadline
   */
  complete(messages: readonly ChatMessage[], options: ChatOptions & { readonly maxTokens: number }): Promise<ChatReply>
}

export interface StreamingChatModel extends ChatModel {
  /**
   * Streams one answer. Ends normally only after a part with `finish`.
   * @throws CoordinatorError `engine_unavailable` at any point, including when the stream breaks off; the parts
   *   received before are a fragment
   */
  stream(messages: readonly ChatMessage[], options?: ChatOptions): AsyncGenerator<ChatPiece, void, void>
}

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
  /** Why it ended: by itself, at the limit of tokens, or at the deadline; in the last case it is the fragment that had come by then. */
  readonly finish: 'stop' | 'length' | 'deadline'
}

export interface ChatOptions {
  /** Model to ask for instead of the usual one, where the server has several. */
  readonly model?: string
  readonly maxTokens?: number
  /** For the whole answer, in milliseconds; left out: the model's own. */
  readonly deadlineMs?: number
  /** 0: always the likeliest token. */
  readonly temperature?: number
  /** JSON Schema that the answer has to follow; the content is then JSON. */
  readonly schema?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

/** One piece of a streamed answer. */
export interface ChatPiece {
  readonly content: string
  /** Set on the last piece only: why the answer ended. */
  readonly finish?: 'stop' | 'length'
  readonly model: string
  /** Set on the last piece, when the server counted. */
  readonly promptTokens?: number
  readonly completionTokens?: number
}

export interface ChatModel {
  readonly name: string
  /**
   * One answer of at most so many tokens.
   * @throws CoordinatorError `engine_unavailable` when it breaks off, or when nothing (with a schema: no whole answer) has come by the deadline
   */
  complete(messages: readonly ChatMessage[], options: ChatOptions & { readonly maxTokens: number }): Promise<ChatReply>
}

export interface StreamingChatModel extends ChatModel {
  /**
   * One answer, piece by piece as it is made. Ends normally only after a piece with `finish`.
   * @throws CoordinatorError `engine_unavailable` at any point, also when the stream breaks off: what came before is a fragment
   */
  stream(messages: readonly ChatMessage[], options?: ChatOptions): AsyncGenerator<ChatPiece, void, void>
}

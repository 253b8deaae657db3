/**
 * Client for conversations in Durable Objects.
 * @module
 */
import type {
  AddedTurn,
  ConversationClient,
  ConversationState,
  NewTurn,
  Recall,
  ShownItem,
  StoredConversation,
  Summary,
} from './client.ts'
import type { Conversation } from './conversation.ts'

/** Number of attempts for one write: an object that is being moved or restarted answers the next one. */
const ATTEMPTS = 3

export class DurableConversations implements ConversationClient {
  readonly #objects: DurableObjectNamespace<Conversation>
  readonly #lifetimeMs: number

  /** @param lifetimeMs how long a conversation outlives its last turn */
  constructor(objects: DurableObjectNamespace<Conversation>, lifetimeMs: number) {
    this.#objects = objects
    this.#lifetimeMs = lifetimeMs
  }

  async recall(project: string, id: string, windowTokens: number): Promise<Recall> {
    return this.#object(project, id).recall(windowTokens)
  }

  addTurn(project: string, id: string, turn: NewTurn): Promise<AddedTurn> {
    return this.#retried(() => this.#object(project, id).addTurn(turn, this.#lifetimeMs))
  }

  addContext(project: string, id: string, tokens: number, shown: readonly ShownItem[]): Promise<AddedTurn> {
    return this.#object(project, id).addContext(tokens, shown, this.#lifetimeMs)
  }

  addAnswer(
    project: string,
    id: string,
    answer: { query: string; response: string; tokens: number },
  ): Promise<boolean> {
    return this.#object(project, id).addAnswer(answer.query, answer.response, answer.tokens, this.#lifetimeMs)
  }

  async saveSummary(project: string, id: string, summary: Summary): Promise<void> {
    await this.#object(project, id).saveSummary(summary)
  }

  async read(project: string, id: string): Promise<ConversationState | null> {
    return this.#object(project, id).read(id)
  }

  delete(project: string, id: string): Promise<boolean> {
    return this.#object(project, id).clear()
  }

  async dump(project: string, id: string): Promise<StoredConversation | null> {
    return this.#object(project, id).dump()
  }

  async load(project: string, id: string, stored: StoredConversation): Promise<void> {
    await this.#object(project, id).load(stored)
  }

  #object(project: string, id: string): DurableObjectStub<Conversation> {
    return this.#objects.getByName(JSON.stringify([project, id]))
  }

  /** Retries errors that the platform marks as retryable. Only for idempotent calls. */
  async #retried<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        const retryable = error instanceof Error && 'retryable' in error && error.retryable === true
        if (!retryable || attempt >= ATTEMPTS) throw error
      }
    }
  }
}

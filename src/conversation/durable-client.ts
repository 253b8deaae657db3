/**
 * Reaches conversations in their Durable Objects.
 * @module
 */
import type { ConversationClient, ConversationState } from './client.ts'
import type { Conversation } from './conversation.ts'

export class DurableConversations implements ConversationClient {
  readonly #objects: DurableObjectNamespace<Conversation>

  constructor(objects: DurableObjectNamespace<Conversation>) {
    this.#objects = objects
  }

  addTurn(
    project: string,
    id: string,
    turn: { query: string; contextIds: readonly string[]; tokens: number },
  ): Promise<{ turnNumber: number }> {
    return this.#object(project, id).addTurn(turn.query, turn.contextIds, turn.tokens)
  }

  async sentContext(project: string, id: string): Promise<string[]> {
    return this.#object(project, id).sentContext()
  }

  async read(project: string, id: string): Promise<ConversationState | null> {
    return this.#object(project, id).read(id)
  }

  delete(project: string, id: string): Promise<boolean> {
    return this.#object(project, id).clear()
  }

  #object(project: string, id: string): DurableObjectStub<Conversation> {
    return this.#objects.getByName(JSON.stringify([project, id]))
  }
}

/**
 * Records the answer to a turn of a conversation.
 * @module
 */
import { tokenCounter } from '../text/token-counter.ts'
import type { ConversationClient } from './client.ts'

/**
 * Stores a turn's answer in the conversation. Without it, the turn's length is assumed, so a failure is not an error.
 */
export async function noteAnswer(
  services: { readonly conversations: ConversationClient },
  project: string,
  conversation: string,
  { query, response }: { query: string; response: string },
): Promise<void> {
  const countTokens = await tokenCounter()
  await services.conversations
    .addAnswer(project, conversation, { query, response, tokens: countTokens(response) })
    .catch(() => false)
}

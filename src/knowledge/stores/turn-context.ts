/**
 * The text of an item that is embedded. A turn of a conversation is embedded together with the previous turn: on its
 * own, it often lacks the question that it answers and the meaning of its pronouns. Its own text comes first, because
 * embedders read only the beginning of a text (measured in docs/design/sentence-embedder.md).
 * @module
 */
import type { CollectionScope, KnowledgeStore } from './store.ts'

/** The text of an item on its own. */
export const embeddedText = ({ title, body }: { title: string; body: string }) => `${title}\n${body}`

interface ItemText {
  readonly title: string
  readonly body: string
  readonly fields: Readonly<Record<string, unknown>>
}

/**
 * The texts to embed for items, in the same order.
 * @param store the items' store; called once per conversation
 */
export async function embeddedTexts(
  store: Pick<KnowledgeStore, 'list'>,
  scope: CollectionScope,
  items: readonly ItemText[],
): Promise<string[]> {
  const conversations = new Map<string, number[]>()
  for (const { fields } of items) {
    const turn = turnOf(fields)
    if (turn) conversations.set(turn.conversation, [...(conversations.get(turn.conversation) ?? []), turn.position - 1])
  }
  const before = new Map<string, string>()
  for (const [conversation, turn] of conversations) {
    const filter = { conversation_id: conversation, turn }
    const { entries } = await store.list(scope, { limit: turn.length, filter })
    for (const entry of entries) {
      const found = turnOf(entry.fields)
      if (found) before.set(keyOf(found), embeddedText(entry).trim())
    }
  }
  return items.map((item) => {
    const turn = turnOf(item.fields)
    const earlier = turn && before.get(keyOf({ ...turn, position: turn.position - 1 }))
    return earlier ? `${embeddedText(item)}\n${earlier}` : embeddedText(item)
  })
}

interface Turn {
  readonly conversation: string
  readonly position: number
}

/** Items that are turns of a conversation are marked in their fields. */
function turnOf({ conversation_id: conversation, turn: position }: ItemText['fields']): Turn | undefined {
  return typeof conversation === 'string' && typeof position === 'number' ? { conversation, position } : undefined
}

const keyOf = ({ conversation, position }: Turn) => `${position} ${conversation}`

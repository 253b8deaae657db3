/**
 * Vectors that clients compute: what they have to embed, and the check of what they send. A client that embeds is trusted no more than any
 * other writer: the server computes a sample of each call again.
 * @module
 */
import { type CoordinatorError, invalidInput } from '../../errors.ts'
import { sha256 } from '../../hash.ts'
import type { ClientVectors, Embedder } from '../../inference/embedding/embedder.ts'
import { stableJson } from '../prepare.ts'
import type { CollectionScope, ItemVector, SpaceStore, StoredItem, VectorWork } from './store.ts'
import { embeddedText, embeddedTexts } from './turn-context.ts'

/** Vectors of one call that the server computes itself, too. */
const SAMPLE = 2

/** A page of what is to be embedded in the embedder's space, for a client. */
export async function vectorWork(
  store: SpaceStore,
  embedder: Embedder,
  scope: CollectionScope,
  options: { cursor?: string; limit: number },
): Promise<VectorWork> {
  const { space, clients } = embedder
  if (!clients) return { space, by: 'server', items: [], nextCursor: null }
  const { entries, nextCursor } = await store.itemsWithoutVector(scope, space, options)
  const texts = await embeddedTexts(store, scope, entries)
  const items = entries.map(({ id, hash }, i) => ({ id, hash, text: clients.textOf(texts[i] ?? '') }))
  return { space, by: 'client', items, nextCursor }
}

/**
 * Checks a client's vectors and stores them; those of items that have changed since are left out.
 * @param space name of the space they are of
 * @param random uniform in [0, 1); chooses the sample
 * @returns whether every item of the collection has been embedded in the space now, and is searched by it
 * @throws CoordinatorError `invalid_input` when they are of another space, or a vector of the sample isn't the item's
 */
export async function takeVectors(
  store: SpaceStore,
  embedder: Embedder,
  scope: CollectionScope,
  space: string,
  vectors: readonly ItemVector[],
  random: () => number,
): Promise<boolean> {
  const { clients } = embedder
  if (!clients || space !== embedder.space.name) {
    throw invalidInput('space', `Vectors of ${space} are not taken.`, {
      hint: clients ? `The space in use is ${embedder.space.name}.` : 'Leave them out: the server computes them.',
    })
  }
  const start = Math.floor(random() * vectors.length)
  const step = Math.max(1, Math.floor(vectors.length / SAMPLE))
  const sample = Array.from({ length: Math.min(SAMPLE, vectors.length) }, (_, i) => (start + i * step) % vectors.length)
  const items = await store.get(
    scope,
    sample.map((at) => vectors[at]?.id ?? ''),
  )
  for (const [i, at] of sample.entries()) {
    const item = items[i]
    const claim = vectors[at]
    if (!item || !claim || (await sha256(stableJson(item.fields))) !== claim.hash) continue
    if (!(await isItsVector(store, scope, clients, item, claim.vector))) throw notItsVector(at)
  }
  await store.addVectors(scope, embedder.space, vectors)
  return store.serveSpace(scope, embedder.space)
}

/** A turn's vector may be that of its text alone: the turn before it may have been stored after the client asked. */
async function isItsVector(
  store: SpaceStore,
  scope: CollectionScope,
  clients: ClientVectors,
  item: StoredItem,
  vector: Float32Array | null,
): Promise<boolean> {
  const alone = embeddedText(item)
  const [text = alone] = await embeddedTexts(store, scope, [item])
  return (await clients.verify(text, vector)) || (text !== alone && (await clients.verify(alone, vector)))
}

function notItsVector(at: number): CoordinatorError {
  return invalidInput(
    `vectors[${at}].vector`,
    `vectors[${at}] is not the vector of its item; none of this call was stored.`,
    {
      hint: 'Embed the text of list_pending_vectors as it is, with the weights that the server has.',
    },
  )
}

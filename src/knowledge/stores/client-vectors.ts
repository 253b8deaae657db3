/**
 * Vectors that clients compute: lists what to embed, and checks what they send. A client that embeds is trusted no more
 * than any other writer: the server recomputes a sample of each call.
 * @module
 */
import { type CoordinatorError, invalidInput } from '../../errors.ts'
import { sha256 } from '../../hash.ts'
import type { ClientVectors, Embedder } from '../../inference/embedding/embedder.ts'
import { stableJson } from '../prepare.ts'
import type { CollectionScope, ItemVector, SpaceStore, StoredItem, VectorWork } from './store.ts'
import { embeddedText, embeddedTexts } from './turn-context.ts'

/** Number of vectors per call that the server recomputes. */
const SAMPLE = 2

/** A page of items that a client has to embed in the embedder's space. */
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
 * Checks a client's vectors and stores them. Vectors of items that have changed since are ignored.
 * @param space name of the vectors' embedding space
 * @param random uniform in [0, 1); chooses the sample
 * @returns whether every item of the collection is now embedded in the space, so that the space is searched
 * @throws CoordinatorError `invalid_input` if the vectors belong to another space, or a sampled vector doesn't match
 *   its item
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

/**
 * A turn's vector may be that of its text only: the previous turn may have been stored after the client listed the
 * work.
 */
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

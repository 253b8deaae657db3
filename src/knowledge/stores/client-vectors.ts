/**
 * Vectors that clients compute: what they have to embed, and the check of what they send. A client that embeds is trusted no more than any
 * other writer: the server computes a sample of each call again.
 * @module
 */
import { type CoordinatorError, invalidInput } from '../../errors.ts'
import { sha256 } from '../../hash.ts'
import type { Embedder } from '../../inference/embedding/embedder.ts'
import { stableJson } from '../prepare.ts'
import type { CollectionScope, ItemVector, SpaceStore, VectorWork } from './store.ts'

/** Vectors of one call that the server computes itself, too. */
const SAMPLE = 2

/** The text of an item that embedders read. */
export const embeddedText = ({ title, body }: { title: string; body: string }) => `${title}\n${body}`

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
  const items = entries.map(({ id, hash, title, body }) => ({
    id,
    hash,
    text: clients.textOf(embeddedText({ title, body })),
  }))
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
    if (!(await clients.verify(embeddedText(item), claim.vector))) throw notItsVector(at)
  }
  await store.addVectors(scope, embedder.space, vectors)
  return store.serveSpace(scope, embedder.space)
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

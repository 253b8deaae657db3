/**
 * Converts the fields that a caller sends to items for a store.
 * @module
 */

import { CoordinatorError } from '../errors.ts'
import { sha256 } from '../hash.ts'
import { itemId } from '../ids.ts'
import { type Embedder, type Embedding, embeddedBatches } from '../inference/embedding/embedder.ts'
import { redactAll } from '../security/redact.ts'
import { tokenCounter } from '../text/token-counter.ts'
import { COLLECTIONS, type CollectionName } from './collections.ts'
import { splitPassages } from './passages.ts'
import type { Provenance } from './provenance.ts'
import type { PreparedDocument, PreparedItem } from './stores/store.ts'

/** How long a write waits for vectors, in milliseconds. */
const EMBEDDING_MS = 10_000

/** An item to be stored: its natural key, its validated fields and its provenance. */
export interface ItemInput {
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly provenance: Provenance
}

/** The document that items belong to. It is part of their identity. */
interface Origin {
  readonly source: string
  readonly path: string
}

/**
 * Prepares items of one collection for storage. Computes their vectors together.
 * @param given items whose fields the collection's schema has validated
 * @param document the document that they belong to
 */
export function prepareItems(
  project: string,
  collection: CollectionName,
  given: readonly ItemInput[],
  embedder: Embedder,
  document?: Origin,
): Promise<PreparedItem[]> {
  return prepareAll(project, collection, given, embedder, () => document)
}

/** Prepares the items of documents and embeds all of them together; see {@link prepareItems}. */
export async function prepareDocuments(
  project: string,
  collection: CollectionName,
  source: string,
  documents: readonly { readonly path: string; readonly hash: string; readonly items: readonly ItemInput[] }[],
  embedder: Embedder,
): Promise<PreparedDocument[]> {
  const paths = documents.flatMap(({ path, items }) => items.map(() => path))
  const all = documents.flatMap(({ items }) => items)
  const prepared = await prepareAll(project, collection, all, embedder, (i) => ({ source, path: paths[i] ?? '' }))
  let next = 0
  return documents.map(({ path, hash, items }) => {
    const own = prepared.slice(next, next + items.length)
    next += items.length
    return { path, hash, items: own }
  })
}

async function prepareAll(
  project: string,
  collection: CollectionName,
  given: readonly ItemInput[],
  embedder: Embedder,
  documentOf: (index: number) => Origin | undefined,
): Promise<PreparedItem[]> {
  const countTokens = await tokenCounter()
  const items = redactAll(given)
  const texts = items.map(({ fields }) => indexedText(collection, fields))
  const embeddings = await embedAll(
    embedder,
    texts.map(({ title, body }) => `${title}\n${body}`),
  )
  return Promise.all(
    items.map(async ({ key, fields, provenance }, i) => {
      const document = documentOf(i)
      const { title, body } = texts[i] ?? { title: '', body: '' }
      const fullKey = document ? JSON.stringify([document.source, document.path, key]) : key
      return {
        id: itemId(project, collection, fullKey),
        key,
        fields,
        provenance,
        title,
        body,
        hash: await itemHash(fields),
        passages: splitPassages(body, countTokens),
        vector: checkedVector(embeddings[i]?.vector ?? null, embedder.space.dimensions),
      }
    }),
  )
}

/**
 * The embeddings that are computed while the write waits. The other items have no vectors yet: they can be found by
 * keyword immediately, and are embedded later.
 */
async function embedAll(embedder: Embedder, texts: readonly string[]): Promise<readonly (Embedding | undefined)[]> {
  const embeddings: (Embedding | undefined)[] = texts.map(() => undefined)
  if (embedder.defersDocuments) return embeddings
  try {
    for await (const batch of embeddedBatches(embedder, texts, EMBEDDING_MS)) {
      batch.at.forEach((at, i) => {
        embeddings[at] = batch.embeddings[i]
      })
    }
  } catch (error) {
    if (!(error instanceof CoordinatorError) || error.code !== 'engine_unavailable') throw error
  }
  return embeddings
}

/** Prepares a single item; see prepareItems. */
export async function prepareItem(
  project: string,
  collection: CollectionName,
  given: ItemInput,
  embedder: Embedder,
): Promise<PreparedItem> {
  const [item] = await prepareItems(project, collection, [given], embedder)
  if (!item) throw new CoordinatorError('internal', 'The item could not be prepared.')
  return item
}

/** The two searchable texts of an item: title and body. */
export function indexedText(
  collection: CollectionName,
  fields: Readonly<Record<string, unknown>>,
): { title: string; body: string } {
  const { titleFields, bodyFields } = COLLECTIONS[collection]
  return { title: joinFields(fields, titleFields, '\n'), body: joinFields(fields, bodyFields, '\n\n') }
}

/** JSON with sorted top-level keys: equal fields give equal text. */
export function stableJson(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))))
}

function joinFields(fields: Readonly<Record<string, unknown>>, names: readonly string[], separator: string): string {
  const parts: string[] = []
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string') parts.push(value)
    else if (Array.isArray(value) && value.length > 0) parts.push(value.join('\n'))
  }
  return parts.join(separator)
}

/** A vector of the wrong size, with NaN or of zero length is never stored. The item remains searchable by keyword. */
function checkedVector(vector: Float32Array | null, dimensions: number): Float32Array | null {
  if (!vector || vector.length !== dimensions) return null
  let norm = 0
  for (const value of vector) norm += value * value
  return Number.isFinite(norm) && norm > 0 ? vector : null
}

/** SHA-256 of an item's fields as hex, independent of their order. */
export function itemHash(fields: Readonly<Record<string, unknown>>): Promise<string> {
  return sha256(stableJson(fields))
}

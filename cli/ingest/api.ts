/**
 * The part of the coordinator's REST API that ingestion uses.
 * @module
 */
import { type HttpClient, HttpError } from '../shared/http.ts'

/** A value of a field. */
export type FieldValue = string | number | boolean | null | FieldValue[] | { [name: string]: FieldValue }

/** An item of knowledge and its natural key. */
export interface KnowledgeItem {
  key?: string
  fields: Record<string, FieldValue>
  /** Provenance of the text, if known. */
  provenance?: string
}

/** The items of a file, replaced together. */
export interface KnowledgeDocument {
  path: string
  hash: string
  items: KnowledgeItem[]
}

/** An error attached to one document or item. */
export interface PartError {
  code?: string
  message?: string
  detail?: string
  title?: string
  field?: string
  hint?: string
}

/** The result for one document. */
export interface DocumentResult {
  path: string
  status: 'indexed' | 'unchanged' | 'rejected'
  added?: number
  updated?: number
  unchanged?: number
  removed?: number
  error?: PartError | string
}

/** The result for one item. */
export interface ItemResult {
  index: number
  id?: string
  status: 'indexed' | 'updated' | 'unchanged' | 'rejected'
  error?: PartError | string
}

/** Texts that search doesn't cover completely, because they exceed a limit. */
export interface Truncated {
  count: number
  message: string
  hint: string
  search?: 'keyword' | 'semantic'
}

/** The answer to a request that stores. */
interface Stored<Result> {
  results: Result[]
  truncated?: Truncated[]
}

/** The location of documents. */
export interface Place {
  project: string
  collection: string
  source: string
}

/** A one-line message for the error of a part, without its position in the request. */
export function describeError(error: PartError | string | undefined): string {
  const parts = typeof error === 'string' ? { detail: error } : (error ?? {})
  const text = parts.detail ?? parts.message ?? parts.title ?? parts.code ?? 'rejected without a reason'
  const place = /^(?:documents\[\d+\]|items\[\d+\])\.(?:fields\.)?/
  const field = parts.field?.replace(place, '')
  const plain = text.replace(place, '')
  return field && !plain.includes(field) ? `${field}: ${plain}` : plain
}

/** The hash of every document at a location, by path, over all pages. */
export async function listDocuments(http: HttpClient, place: Place): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ ...place, limit: '1000' })
    if (cursor !== null) query.set('cursor', cursor)
    const page: { documents: { path: string; hash: string }[]; next_cursor: string | null } = await http.get(
      `/knowledge/documents?${query}`,
    )
    for (const document of page.documents) hashes.set(document.path, document.hash)
    cursor = page.next_cursor ?? null
  } while (cursor !== null)
  return hashes
}

/** Replaces the items of documents. Each document is stored or rejected as a whole. */
export async function putDocuments(
  http: HttpClient,
  place: Place,
  documents: KnowledgeDocument[],
): Promise<Stored<DocumentResult>> {
  return http.post('/knowledge/documents', { ...place, documents })
}

/** Removes documents with their items, at most 1,000 per call. */
export async function deleteDocuments(
  http: HttpClient,
  place: Place,
  paths: string[],
): Promise<{ documents: number; items: number }> {
  return http.post('/knowledge/documents/delete', { ...place, paths })
}

/** Stores single items, at most 400 per call. */
export async function putItems(
  http: HttpClient,
  project: string,
  collection: string,
  items: KnowledgeItem[],
): Promise<Stored<ItemResult>> {
  return http.post('/knowledge/items', { project, collection, items })
}

/** Removes one item. A missing item is not an error. */
export async function deleteItem(http: HttpClient, { project, collection }: Place, id: string): Promise<number> {
  try {
    await http.delete(`/knowledge/items/${collection}/${id}?${new URLSearchParams({ project })}`)
    return 1
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return 0
    throw error
  }
}

/** A source, as listed by the coordinator. */
export interface SourceEntry {
  source: string
  collection: string
  documents: number
  /** Milliseconds since 1970; null: before this was recorded. */
  written_at: number | null
}

/** Reads all pages of a list. */
async function allPages<T>(
  load: (cursor: string | null) => Promise<{ entries: T[]; next: string | null }>,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | null = null
  do {
    const page: { entries: T[]; next: string | null } = await load(cursor)
    all.push(...page.entries)
    cursor = page.next
  } while (cursor !== null)
  return all
}

/** The sources of a project's documents. */
export function listSources(http: HttpClient, project: string): Promise<SourceEntry[]> {
  return allPages(async (cursor) => {
    const query = new URLSearchParams({ project, limit: '1000', ...(cursor !== null && { cursor }) })
    const page: { sources: SourceEntry[]; next_cursor: string | null } = await http.get(`/knowledge/sources?${query}`)
    return { entries: page.sources, next: page.next_cursor }
  })
}

/** An item, as listed by the coordinator. */
export interface ListedItem {
  id: string
  key: string
  fields: Record<string, unknown>
  provenance: string
  source: string | null
  path: string | null
}

/** Every item of a collection. */
export function listItems(http: HttpClient, project: string, collection: string): Promise<ListedItem[]> {
  return allPages(async (cursor) => {
    const query = new URLSearchParams({ project, limit: '100', ...(cursor !== null && { cursor }) })
    const page: { items: ListedItem[]; next_cursor: string | null } = await http.get(
      `/knowledge/items/${collection}?${query}`,
    )
    return { entries: page.items, next: page.next_cursor }
  })
}

/**
 * Other search engines, each used as in its own guide: stores documents, and answers a query with their ids, best
 * first.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { create, insertMultiple, search } from '@orama/orama'
import MiniSearch from 'minisearch'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import type { BeirDocument, BeirSet } from '../eval/beir.ts'
import { storeCorpus } from '../eval/beir.ts'

/** Number of requested results. */
export const DEPTH = 10

export interface PeerEngine {
  readonly name: string
  /** How it is accessed, which is part of the cost of a query. */
  readonly reached: string
  search(query: string): Promise<string[]>
  close(): Promise<void>
}

/** Creates an engine with the documents of a set. */
export type PeerFactory = (set: BeirSet) => Promise<PeerEngine>

const nothing = async () => undefined

/** The coordinator's own hybrid search. */
export const coordinator: PeerFactory = async (set) => {
  const worker = await startLocalWorker({ variables: { HOLD_OUT_SHARE: '0' } })
  const http = createHttpClient({ url: worker.url })
  await storeCorpus(http, 'peers', set)
  const asked = { project: 'peers', collections: [set.collection], limit: DEPTH }
  return {
    name: 'Hybrid Coordinator, hybrid_search',
    reached: 'HTTP, workerd',
    async search(query) {
      const { combined_results } = await http.post<{ combined_results: { key: string }[] }>('/hybrid_search', {
        ...asked,
        query,
      })
      return combined_results.map(({ key }) => key)
    },
    close: () => worker.stop(),
  }
}

/** MiniSearch: an inverted index in the process, BM25+. */
export const miniSearch: PeerFactory = async ({ documents }) => {
  const index = new MiniSearch<BeirDocument>({ idField: '_id', fields: ['title', 'text'] })
  index.addAll(documents)
  return {
    name: 'MiniSearch',
    reached: 'in process',
    search: async (query) =>
      index
        .search(query)
        .slice(0, DEPTH)
        .map(({ id }) => String(id)),
    close: nothing,
  }
}

/** Orama: an index in the process, BM25. */
export const orama: PeerFactory = async ({ documents }) => {
  const database = create({ schema: { key: 'string', title: 'string', text: 'string' } as const })
  await insertMultiple(
    database,
    documents.map(({ _id, title = '', text }) => ({ key: _id, title, text })),
  )
  return {
    name: 'Orama',
    reached: 'in process',
    async search(query) {
      const { hits } = await search(database, { term: query, properties: ['title', 'text'], limit: DEPTH })
      return hits.map(({ document }) => document.key)
    },
    close: nothing,
  }
}

/** Number of documents sent to the memory server in one call. */
const ENTITIES = 500

/** The reference memory server of MCP: a graph in a file, searched for the query as a substring. */
export const memoryServer: PeerFactory = async ({ documents }) => {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-peer-'))
  const server = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-memory/dist/index.js')
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [server],
      env: { ...process.env, MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } as Record<string, string>,
      stderr: 'ignore',
    }),
  )
  for (let start = 0; start < documents.length; start += ENTITIES) {
    const entities = documents.slice(start, start + ENTITIES).map(({ _id, title = '', text }) => ({
      name: _id,
      entityType: 'document',
      observations: [title, text],
    }))
    await client.callTool({ name: 'create_entities', arguments: { entities } })
  }
  return {
    name: 'MCP memory server, search_nodes',
    reached: 'MCP over stdio',
    async search(query) {
      const { structuredContent } = await client.callTool({ name: 'search_nodes', arguments: { query } })
      const { entities = [] } = (structuredContent ?? {}) as { entities?: { name: string }[] }
      return entities.slice(0, DEPTH).map(({ name }) => name)
    },
    async close() {
      await client.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Opens the sentence embedder inside the Worker: the kernel from its bundle, weights and query table from its static assets.
 * @module
 */
import type { Settings } from '../../../settings.ts'
import type { Embedder } from '../embedder.ts'
import { MiniLmEmbedder } from './embedder.ts'
import kernel from './kernel.wasm'
import { ModelLoader } from './loader.ts'
import { WEIGHTS_PATH } from './model.ts'
import { DeferredQueryTable, QUERY_TABLE_PATH } from './query-table.ts'

/** One for each isolate: all requests and jobs in it share the model. */
let loader: ModelLoader | null = null
let table: DeferredQueryTable | null = null

/** What the embedder needs of the Worker. */
export interface MiniLmHost {
  /** Fetches a static asset by its path. */
  asset(path: string): Promise<Response>
  /** Lets work go on after the answer. */
  keepAlive(work: Promise<unknown>): void
}

export function openMiniLm(settings: Settings, host: MiniLmHost): Embedder {
  const asset = async (path: string): Promise<Response> => {
    const response = await host.asset(path)
    if (!response.ok) throw new Error(`the static asset ${path} is missing (status ${response.status})`)
    return response
  }
  loader ??= new ModelLoader({
    kernel,
    open: async () => {
      const { body } = await asset(WEIGHTS_PATH)
      if (!body) throw new Error(`the static asset ${WEIGHTS_PATH} is empty`)
      return body
    },
    now: () => Date.now(),
  })
  table ??= new DeferredQueryTable(async () => (await asset(QUERY_TABLE_PATH)).arrayBuffer())
  return new MiniLmEmbedder({
    loader,
    table,
    questions: settings.MINILM_QUERIES,
    keepAlive: host.keepAlive,
  })
}

/** The loader of this isolate; null until the embedder was opened. */
export function miniLmLoader(): ModelLoader | null {
  return loader
}

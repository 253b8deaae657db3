/**
 * Opens the sentence embedder in the Worker: the kernel from the bundle, weights and query table from static assets.
 * @module
 */
import type { Settings } from '../../../settings.ts'
import type { Embedder } from '../embedder.ts'
import { MiniLmEmbedder } from './embedder.ts'
import kernel from './kernel.wasm'
import { ModelLoader } from './loader.ts'
import { WEIGHTS_PATH } from './model.ts'
import { DeferredQueryTable, QUERY_TABLE_PATH } from './query-table.ts'

/** One per isolate: all its requests and jobs share the model. */
let loader: ModelLoader | null = null
let table: DeferredQueryTable | null = null

/** The Worker's services that the embedder needs. */
export interface MiniLmHost {
  /** Fetches a static asset by its path. */
  asset(path: string): Promise<Response>
  /** Keeps work alive after the response. */
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

/** The loader of this isolate; null before the embedder is opened. */
export function miniLmLoader(): ModelLoader | null {
  return loader
}

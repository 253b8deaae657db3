/**
 * Opens the sentence embedder inside the Worker: the kernel from its bundle, the weights from its static assets.
 * @module
 */
import type { Settings } from '../../../settings.ts'
import type { Embedder } from '../embedder.ts'
import { MiniLmEmbedder } from './embedder.ts'
import kernel from './kernel.wasm'
import { ModelLoader } from './loader.ts'
import { WEIGHTS_PATH } from './model.ts'
import tableBytes from './query-table.bin'
import { QueryTable } from './query-table.ts'

/** One for each isolate: all requests and jobs in it share the model. */
let loader: ModelLoader | null = null
let table: QueryTable | null = null

/** What the embedder needs of the Worker. */
export interface MiniLmHost {
  /** Fetches a static asset by its path. */
  asset(path: string): Promise<Response>
  /** Lets work go on after the answer. */
  keepAlive(work: Promise<unknown>): void
}

export function openMiniLm(settings: Settings, host: MiniLmHost): Embedder {
  loader ??= new ModelLoader({
    kernel,
    open: async () => {
      const response = await host.asset(WEIGHTS_PATH)
      if (!response.ok || !response.body) {
        throw new Error(`the static asset ${WEIGHTS_PATH} is missing (status ${response.status})`)
      }
      return response.body
    },
    now: () => Date.now(),
  })
  table ??= new QueryTable(tableBytes)
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

/**
 * The built-in sentence embedder. Embeds questions with the model or the query table, and documents with the model.
 * @module
 */
import { CoordinatorError } from '../../../errors.ts'
import type { Truncation } from '../../../text/truncation.ts'
import { EmbeddingCache } from '../cached-embedder.ts'
import {
  type ClientVectors,
  cosine,
  type Embedder,
  type Embedding,
  type EmbeddingPurpose,
  isVector,
} from '../embedder.ts'
import type { ModelLoader } from './loader.ts'
import { MINILM_SPACE, type MiniLm } from './model.ts'
import { documentText, MAX_DOCUMENT_PIECES, MAX_QUESTION_PIECES, questionText, vectorTruncationOf } from './texts.ts'

/** How long a question waits for the model if nothing else can embed it, in milliseconds. */
const QUESTION_WAIT_MS = 3_000
/** How long documents wait for the model, in milliseconds. */
const DOCUMENT_WAIT_MS = 20_000

/** Minimum cosine between a document's vector and the query table's vector of its words. */
const MIN_TABLE_COSINE = 0.1

/**
 * This many questions at once are the fixed set for measuring a collection's scale. They are always embedded with the
 * table: the ranking of code was learnt on that scale, it doesn't depend on whether the model is loaded, and it costs
 * almost nothing.
 */
const MANY_QUESTIONS = 8

/**
 * How questions are embedded. `full`: by the model. `table`: by the query table. `auto`: by the model if it is loaded,
 * otherwise by the table.
 */
export type QuestionEncoding = 'auto' | 'full' | 'table'

export interface MiniLmOptions {
  readonly loader: ModelLoader
  /** Embeds questions in the same space without the model; null: not available. */
  readonly table: Embedder | null
  readonly questions: QuestionEncoding
  /** Keeps work alive after the response. */
  keepAlive(work: Promise<unknown>): void
}

/**
 * Vectors of recent questions computed by the model in this isolate. Vectors of the table are faster to compute than to
 * look up.
 */
const recent = new EmbeddingCache()

export class MiniLmEmbedder implements Embedder {
  readonly space = MINILM_SPACE
  readonly defersDocuments = true
  readonly clients: ClientVectors = {
    textOf: documentText,
    verify: (text, vector) => this.#verify(documentText(text), vector),
  }
  readonly #options: MiniLmOptions

  constructor(options: MiniLmOptions) {
    this.#options = options
  }

  truncation(text: string, purpose: EmbeddingPurpose): Truncation | null {
    return vectorTruncationOf(text, purpose)
  }

  async embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]> {
    const { table } = this.#options
    if (purpose === 'query' && texts.length >= MANY_QUESTIONS && table) {
      return table.embed(texts.map(questionText), 'query')
    }
    return purpose === 'query'
      ? Promise.all(texts.map((text) => this.#question(questionText(text))))
      : this.#documents(texts)
  }

  /**
   * Verifies with the model. If its CPU time isn't available, verifies with the table, which can only detect vectors of
   * unrelated texts.
   */
  async #verify(text: string, vector: Float32Array | null): Promise<boolean> {
    const { loader, table, questions } = this.#options
    if (table && questions === 'table') {
      const near = (await byTable(table, text)).vector
      return !near || !vector || cosine(near, vector) >= MIN_TABLE_COSINE
    }
    const model = await loader.within(DOCUMENT_WAIT_MS)
    if (!model) throw unavailable(loader)
    return isVector(vector, model.embed(text, MAX_DOCUMENT_PIECES))
  }

  async #question(text: string): Promise<Embedding> {
    const { table, questions } = this.#options
    if (table && questions === 'table') return byTable(table, text)
    const model = await this.#modelForQuestion()
    if (model) return recent.get(text, async () => embedding(model.embed(text, MAX_QUESTION_PIECES)))
    if (table) return byTable(table, text)
    throw unavailable(this.#options.loader)
  }

  /**
   * In `auto` mode, a question that the table can embed never waits: the model is loaded in the background for later
   * questions.
   */
  async #modelForQuestion(): Promise<MiniLm | null> {
    const { loader, table, questions, keepAlive } = this.#options
    if (loader.model) return loader.model
    if (!table || questions === 'full') return loader.within(QUESTION_WAIT_MS)
    keepAlive(loader.load())
    return null
  }

  /** @throws CoordinatorError `engine_unavailable` if the model can't be loaded */
  async #documents(texts: readonly string[]): Promise<Embedding[]> {
    const model = await this.#options.loader.within(DOCUMENT_WAIT_MS)
    if (!model) throw unavailable(this.#options.loader)
    const embeddings: Embedding[] = []
    for (const text of texts) {
      embeddings.push(embedding(model.embed(documentText(text), MAX_DOCUMENT_PIECES)))
      // Lets other requests of the isolate run between two texts.
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    return embeddings
  }
}

/** A contextual model covers every word by its pieces. */
function embedding(vector: Float32Array | null): Embedding {
  return { vector, coverage: vector ? 1 : 0 }
}

async function byTable(table: Embedder, text: string): Promise<Embedding> {
  const [found] = await table.embed([text], 'query')
  return found ?? embedding(null)
}

function unavailable({ failure }: ModelLoader): CoordinatorError {
  return new CoordinatorError(
    'engine_unavailable',
    `The sentence embedder is not loaded${failure ? `: ${failure}` : ''}.`,
    {
      hint: 'Deploy the Worker with the whole folder public/, or set EMBEDDER=static.',
      retryAfter: 5,
    },
  )
}

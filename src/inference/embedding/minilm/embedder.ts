/**
 * The sentence embedder as everything else sees it: questions by the model or by the query table, documents by the model.
 * @module
 */
import { CoordinatorError } from '../../../errors.ts'
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
import { documentText, MAX_DOCUMENT_PIECES, MAX_QUESTION_PIECES, questionText } from './texts.ts'

/** How long a question waits for the model where nothing else can embed it, in milliseconds. */
const QUESTION_WAIT_MS = 3_000
/** How long documents wait for it, in milliseconds. */
const DOCUMENT_WAIT_MS = 20_000

/** A document's vector is never further from what the query table makes of its words. */
const MIN_TABLE_COSINE = 0.1

/**
 * So many questions at once are the fixed ones that a collection's scale is measured by: all by the table, whether or not the model is
 * loaded, so that the scale doesn't depend on when it was measured, and costs next to nothing.
 */
const MANY_QUESTIONS = 8

/** How questions are embedded: `full`: by the model; `table`: by the query table; `auto`: by the model where it is loaded, else by the table. */
export type QuestionEncoding = 'auto' | 'full' | 'table'

export interface MiniLmOptions {
  readonly loader: ModelLoader
  /** Embeds questions in the same space without the model; null: there is none. */
  readonly table: Embedder | null
  readonly questions: QuestionEncoding
  /** Lets work go on after the answer. */
  keepAlive(work: Promise<unknown>): void
}

/** Vectors that the model made of recent questions, in this isolate; those of the table cost less than looking them up. */
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

  async embed(texts: readonly string[], purpose: EmbeddingPurpose): Promise<Embedding[]> {
    const { table, questions } = this.#options
    if (purpose === 'query' && texts.length >= MANY_QUESTIONS && table && questions !== 'full') {
      return table.embed(texts.map(questionText), 'query')
    }
    return purpose === 'query'
      ? Promise.all(texts.map((text) => this.#question(questionText(text))))
      : this.#documents(texts)
  }

  /** By the model; where its CPU can't be had by the table, which only tells vectors of other texts from the right one. */
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

  /** In `auto` a question that the table can embed never waits: the model is loaded beside it, for later ones. */
  async #modelForQuestion(): Promise<MiniLm | null> {
    const { loader, table, questions, keepAlive } = this.#options
    if (loader.model) return loader.model
    if (!table || questions === 'full') return loader.within(QUESTION_WAIT_MS)
    keepAlive(loader.load())
    return null
  }

  /** @throws CoordinatorError `engine_unavailable` while the model can't be loaded */
  async #documents(texts: readonly string[]): Promise<Embedding[]> {
    const model = await this.#options.loader.within(DOCUMENT_WAIT_MS)
    if (!model) throw unavailable(this.#options.loader)
    const embeddings: Embedding[] = []
    for (const text of texts) {
      embeddings.push(embedding(model.embed(documentText(text), MAX_DOCUMENT_PIECES)))
      // Other requests of the isolate come in between two texts.
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    return embeddings
  }
}

/** A contextual model knows every word by its pieces. */
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

/**
 * Embedding models with documented prefixes. The prefixes are part of the model: without them its vectors are worse,
 * and other prefixes give another space.
 * @module
 */

/** How texts are sent to a model. */
export interface EmbeddingModel {
  /** Name that is recorded with every collection. */
  readonly name: string
  readonly dimensions: number
  readonly queryPrefix: string
  readonly documentPrefix: string
  /** Maximum tokens that it reads from a text. */
  readonly contextTokens: number
}

const model = (
  name: string,
  dimensions: number,
  contextTokens: number,
  queryPrefix = '',
  documentPrefix = '',
): EmbeddingModel => ({ name, dimensions, contextTokens, queryPrefix, documentPrefix })

const BGE_QUERY = 'Represent this sentence for searching relevant passages: '
const QWEN_QUERY = 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: '

/** From the model cards. Names are matched with the start of the served model's file name. */
const KNOWN: readonly EmbeddingModel[] = [
  model('nomic-embed-text-v1.5', 768, 2048, 'search_query: ', 'search_document: '),
  model('nomic-embed-text-v2-moe', 768, 512, 'search_query: ', 'search_document: '),
  model('embeddinggemma-300m', 768, 2048, 'task: search result | query: ', 'title: none | text: '),
  model('qwen3-embedding-0.6b', 1024, 8192, QWEN_QUERY),
  model('qwen3-embedding-4b', 2560, 8192, QWEN_QUERY),
  model('bge-small-en-v1.5', 384, 512, BGE_QUERY),
  model('bge-base-en-v1.5', 768, 512, BGE_QUERY),
  model('bge-large-en-v1.5', 1024, 512, BGE_QUERY),
  model('bge-m3', 1024, 8192),
  model('multilingual-e5-small', 384, 512, 'query: ', 'passage: '),
  model('multilingual-e5-base', 768, 512, 'query: ', 'passage: '),
  model('multilingual-e5-large', 1024, 512, 'query: ', 'passage: '),
  model('e5-small-v2', 384, 512, 'query: ', 'passage: '),
  model('e5-base-v2', 768, 512, 'query: ', 'passage: '),
  model('mxbai-embed-large-v1', 1024, 512, BGE_QUERY),
  model('snowflake-arctic-embed-m-v2.0', 768, 8192, 'query: '),
  model('snowflake-arctic-embed-l-v2.0', 1024, 8192, 'query: '),
  model('all-minilm-l6-v2', 384, 256),
  model('all-mpnet-base-v2', 768, 384),
]

/** The known model whose name is a prefix of a name or file name (`nomic-embed-text-v1.5.Q8_0.gguf`); null: none. */
export function knownEmbeddingModel(name: string): EmbeddingModel | null {
  const file = name.toLowerCase().split('/').at(-1) ?? ''
  return KNOWN.find((known) => file.startsWith(known.name)) ?? null
}

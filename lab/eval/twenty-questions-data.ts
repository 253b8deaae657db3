/**
 * Questions about two code bases with the files that answer them, written before any of them was run.
 * @module
 */

export interface FileQuestion {
  readonly about: 'this project' | 'Hono'
  readonly text: string
  /** Files that answer it, as path suffixes. */
  readonly files: readonly string[]
}

const own = (text: string, ...files: string[]): FileQuestion => ({ about: 'this project', text, files })
const hono = (text: string, ...files: string[]): FileQuestion => ({ about: 'Hono', text, files })

export const TWENTY_QUESTIONS: readonly FileQuestion[] = [
  own('Where is it decided that a question gets no context?', 'retrieval/augment.ts'),
  own('How are passwords and tokens removed before anything is stored?', 'security/redact.ts'),
  own('How does the server check vectors that a client sends?', 'knowledge/stores/client-vectors.ts'),
  own(
    'What happens when the weights of the sentence embedder are damaged?',
    'embedding/minilm/model.ts',
    'embedding/minilm/loader.ts',
  ),
  own('Where do British and American spellings meet?', 'text/spelling.ts'),
  own('saturation and length normalisation of BM25', 'text/keyword-plan.ts'),
  own('How are near copies of a passage recognised?', 'text/shingles.ts', 'retrieval/diversity.ts'),
  own('fuseCode', 'ranking/code/fuse-code.ts'),
  own('Which projects may a key that is bound to one project reach?', 'transports/project-binding.ts'),
  own('How does a failed job get another try?', 'jobs/run-job.ts', 'jobs/consume.ts', 'jobs/sweep.ts'),
  hono('How does Hono pick the fastest router?', 'router/smart-router/router.ts'),
  hono('Where are signed cookies verified?', 'utils/cookie.ts', 'helper/cookie/index.ts'),
  hono('How is a CORS preflight request answered?', 'middleware/cors/index.ts'),
  hono('How do I send server-sent events?', 'helper/streaming/sse.ts'),
  hono('What happens when a JWT has expired?', 'utils/jwt/jwt.ts', 'utils/jwt/types.ts', 'middleware/jwt/jwt.ts'),
  hono('Where is HTML escaped in templates?', 'utils/html.ts', 'helper/html/index.ts'),
  hono('Limit the size of a request body', 'middleware/body-limit/index.ts'),
  hono('TrieRouter', 'router/trie-router/router.ts', 'router/trie-router/node.ts'),
  hono('Which responses are not compressed with gzip?', 'middleware/compress/index.ts', 'utils/compress.ts'),
  hono('How does a handler reply with JSON?', 'src/context.ts'),
]

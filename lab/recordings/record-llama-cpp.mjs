/**
 * Records what a real llama.cpp server answers into test/fixtures/llama-cpp, for tests that run without one.
 *
 *   LLAMA_CPP_BASE_URL=http://127.0.0.1:8080 LLAMA_CPP_EMBEDDINGS_URL=http://127.0.0.1:8081 \
 *   LLAMA_CPP_VERSION="b10434" node scripts/record-llama-cpp.mjs
 *
 * With LLAMA_CPP_LOADING_URL, only the answer of a server that is still loading its model is recorded: start it at that
 * moment. With LLAMA_CPP_LOCKED_URL, the answers of a server started with --api-key are recorded too.
 */
import { mkdir, writeFile } from 'node:fs/promises'

const FOLDER = new URL('../../test/fixtures/llama-cpp/', import.meta.url)
const {
  LLAMA_CPP_BASE_URL: chat,
  LLAMA_CPP_EMBEDDINGS_URL: embeddings,
  LLAMA_CPP_LOADING_URL: loading,
  LLAMA_CPP_LOCKED_URL: locked,
  LLAMA_CPP_VERSION: version = 'unknown',
} = process.env

await mkdir(FOLDER, { recursive: true })

async function record(name, base, path, body, headers = {}) {
  const response = await fetch(base + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  })
  const recorded = {
    server: `llama.cpp ${version}`,
    request: { path, body: body ?? null },
    status: response.status,
    contentType: response.headers.get('content-type'),
    body: await response.text(),
  }
  await writeFile(new URL(`${name}.json`, FOLDER), `${JSON.stringify(recorded, null, 2)}\n`)
  console.log(`${name}: ${recorded.status} ${recorded.body.length} characters`)
  return recorded
}

if (loading) {
  for (let tries = 0; tries < 2000; tries++) {
    const reply = await fetch(`${loading}/health`).catch(() => null)
    if (reply?.status === 503) {
      await record('loading-chat', loading, '/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] })
      await record('loading-health', loading, '/health')
      process.exit(0)
    }
    if (reply?.ok) throw new Error('The model was loaded before it could be asked.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`Nothing listens at ${loading}.`)
}

const question = [
  { role: 'system', content: 'Answer in one short sentence.' },
  { role: 'user', content: 'What is a reverse proxy?' },
]
const fixed = { temperature: 0, seed: 1, max_tokens: 48 }
const schema = {
  type: 'object',
  properties: { topic: { type: 'string', maxLength: 40 }, difficult: { type: 'boolean' } },
  required: ['topic', 'difficult'],
  additionalProperties: false,
}

if (chat) {
  await record('health', chat, '/health')
  await record('models', chat, '/v1/models')
  await record('tokenize', chat, '/tokenize', { content: 'Reload the proxy.' })
  await record('chat', chat, '/v1/chat/completions', { messages: question, ...fixed })
  await record('chat-cut-short', chat, '/v1/chat/completions', { messages: question, ...fixed, max_tokens: 4 })
  await record('chat-stream', chat, '/v1/chat/completions', {
    messages: question,
    ...fixed,
    stream: true,
    stream_options: { include_usage: true },
  })
  await record('chat-schema', chat, '/v1/chat/completions', {
    messages: [{ role: 'user', content: 'Describe the question "What is a reverse proxy?" as JSON.' }],
    ...fixed,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } },
  })
  await record('error-bad-schema', chat, '/v1/chat/completions', {
    messages: question,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'no such type' } } },
  })
  await record('error-bad-json', chat, '/v1/chat/completions', '{"messages": [')
  await record('error-too-long', chat, '/v1/chat/completions', {
    messages: [{ role: 'user', content: 'proxy '.repeat(6000) }],
    max_tokens: 4,
  })
  await record('error-no-embeddings', chat, '/v1/embeddings', { input: ['text'] })
  await record('error-not-found', chat, '/v1/nothing', {})
}
if (embeddings) {
  await record('embeddings', embeddings, '/v1/embeddings', { input: ['Reload the proxy.', 'Ein Fuchs.', '再読み込み'] })
  await record('embeddings-models', embeddings, '/v1/models')
  await record('embeddings-empty', embeddings, '/v1/embeddings', { input: [''] })
  await record('embeddings-none', embeddings, '/v1/embeddings', { input: [] })
  await record('embeddings-too-long', embeddings, '/v1/embeddings', { input: ['proxy '.repeat(6000)] })
}
if (locked) {
  await record(
    'error-wrong-key',
    locked,
    '/v1/chat/completions',
    { messages: question },
    { authorization: 'Bearer no' },
  )
}

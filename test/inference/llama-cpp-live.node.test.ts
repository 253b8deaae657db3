/**
 * The adapters against a running llama.cpp server: `LLAMA_CPP_BASE_URL=… LLAMA_CPP_EMBEDDINGS_URL=…
 * npx vitest run --project node test/inference`.
 */
import { describe, expect, it } from 'vitest'
import { LlamaCppChat } from '../../src/inference/chat/llama-cpp.ts'
import { LlamaCppEmbedder } from '../../src/inference/embedding/llama-cpp-embedder.ts'
import { Engine } from '../../src/inference/engine/resilience.ts'

const { LLAMA_CPP_BASE_URL: chatUrl, LLAMA_CPP_EMBEDDINGS_URL: embeddingsUrl, LLAMA_CPP_API_KEY: key } = process.env
const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {}
const messages = [
  { role: 'system' as const, content: 'Answer in one short sentence.' },
  { role: 'user' as const, content: 'What is a reverse proxy?' },
]
const fixed = { temperature: 0, maxTokens: 32, deadlineMs: 120_000 }

describe.skipIf(!chatUrl)('a running chat server', () => {
  const chat = new LlamaCppChat({ baseUrl: chatUrl ?? '', headers }, new Engine('The local model', ''))

  it('is ready and lists its model', async () => {
    expect(await chat.health()).toBe('ready')
    const [model] = await chat.models()
    console.log('chat model:', model)
    expect(model?.dimensions).toBeGreaterThan(0)
    expect(await chat.countTokens('Reload the proxy.')).toBeGreaterThan(2)
  })

  it('answers, and streams the same answer', async () => {
    const reply = await chat.complete(messages, fixed)
    let streamed = ''
    let finish: string | undefined
    for await (const piece of chat.stream(messages, fixed)) {
      streamed += piece.content
      finish = piece.finish ?? finish
    }
    console.log('answer:', reply.content)
    expect(reply.content.length).toBeGreaterThan(10)
    expect(streamed).toBe(reply.content)
    expect(finish).toMatch(/stop|length/)
  })

  it('follows a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { topic: { type: 'string', maxLength: 20 }, difficult: { type: 'boolean' } },
      required: ['topic', 'difficult'],
      additionalProperties: false,
    }
    const { content } = await chat.complete([{ role: 'user', content: 'Describe nginx as JSON.' }], {
      ...fixed,
      maxTokens: 120,
      schema,
    })
    expect(Object.keys(JSON.parse(content) as object).sort()).toEqual(['difficult', 'topic'])
  })

  it('reports a prompt that is too long', async () => {
    await expect(chat.complete([{ role: 'user', content: 'proxy '.repeat(200_000) }], fixed)).rejects.toMatchObject({
      code: 'engine_unavailable',
    })
  })
})

describe.skipIf(!embeddingsUrl)('a running embeddings server', () => {
  it('embeds short, long, empty and foreign texts in batches', async () => {
    const endpoint = { baseUrl: embeddingsUrl ?? '', headers }
    const [model] = await new LlamaCppChat(endpoint, new Engine('The embedding server', '')).models()
    const dimensions = model?.dimensions ?? 0
    const name = model?.id ?? 'unknown'
    const embedder = new LlamaCppEmbedder(endpoint, new Engine('The embedding server', ''), {
      name,
      dimensions,
      queryPrefix: '',
      documentPrefix: '',
      contextTokens: 512,
    })
    const texts = [
      'Reload the proxy.',
      'proxy '.repeat(6000),
      '',
      '再読み込み',
      'Restart the proxy.',
      'A recipe for bread.',
    ]
    const embeddings = await embedder.embed(texts, 'document')
    const vectors = embeddings.map(({ vector }) => vector)
    expect(vectors.map((vector) => vector?.length ?? null)).toEqual(
      texts.map((text) => (text === '' ? null : dimensions)),
    )
    const cosine = (a: number, b: number) =>
      (vectors[a] ?? new Float32Array()).reduce((sum, value, i) => sum + value * (vectors[b]?.[i] ?? 0), 0)
    console.log(
      `embedding model: ${name}, ${dimensions} dimensions; alike ${cosine(0, 4).toFixed(3)}, unlike ${cosine(0, 5).toFixed(3)}`,
    )
    expect(cosine(0, 4)).toBeGreaterThan(cosine(0, 5))
  })
})

it.runIf(!chatUrl && !embeddingsUrl)('runs only if LLAMA_CPP_BASE_URL or LLAMA_CPP_EMBEDDINGS_URL is set', () => {
  expect(chatUrl).toBeUndefined()
})

import { env } from 'cloudflare:workers'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { beforeAll, describe, expect, test } from 'vitest'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { callRest, fetchWorker } from './worker-client.ts'

const project = 'sampling'
const query = 'How long is the timeout of the reverse proxy?'

interface Sampled {
  systemPrompt?: string
  messages: { content: unknown }[]
}

/** A client whose user has their own model; null: no sampling support. */
async function client(answer: string | null, asked: Sampled[] = [], mode: 'auto' | '2025' = 'auto') {
  const made = new Client(
    { name: 'tests', version: '1.0.0' },
    {
      capabilities: answer === null ? {} : { sampling: {} },
      ...(mode === 'auto' && { versionNegotiation: { mode } }),
    },
  )
  if (answer !== null) {
    made.setRequestHandler('sampling/createMessage', ({ params }) => {
      asked.push(params as Sampled)
      return { role: 'assistant', model: 'own-model', content: { type: 'text', text: answer }, stopReason: 'endTurn' }
    })
  }
  const fetch = (url: string | URL, init?: RequestInit) => {
    const headers = new Headers(init?.headers)
    headers.set('host', 'localhost')
    return fetchWorker(new Request(url, { ...init, headers }))
  }
  const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
    fetch: fetch as typeof globalThis.fetch,
  })
  await made.connect(transport)
  return made
}

const route = async (made: Client, input: object = {}) => {
  const result = await made.callTool({
    name: 'route_query',
    arguments: { project, query, generate_response: true, ...input },
  })
  return result as { structuredContent?: Record<string, unknown>; isError?: boolean; content: { text?: string }[] }
}

beforeAll(async () => {
  const description = 'The timeout of the reverse proxy is 60 seconds: proxy_read_timeout.'
  const items = [{ fields: { title: 'Timeout of the reverse proxy', description } }]
  await callRest(storeKnowledge, { project, collection: 'best-practices', items })
})

describe('a query that none of our models answers', () => {
  test('is answered by the model of a client that offers one', async () => {
    const asked: Sampled[] = []
    const { structuredContent } = await route(await client('Sixty seconds [1].', asked))
    expect(structuredContent).toMatchObject({
      backend: 'remote',
      response: 'Sixty seconds [1].',
      augmented_prompt: null,
      generation: { model: 'own-model', prompt_tokens: null, completion_tokens: null },
      retrieval_id: expect.any(String),
    })
    expect(asked).toHaveLength(1)
    expect(asked[0]?.systemPrompt).toContain('cite')
    expect(JSON.stringify(asked[0]?.messages)).toContain(query)
    const { n } = (await env.DB.prepare('SELECT COUNT(*) AS n FROM routing_decisions WHERE project = ?')
      .bind(project)
      .first<{ n: number }>()) ?? { n: -1 }
    expect(n).toBe(1)
  })

  test.each([
    ['offers none', null, 'auto'],
    ['speaks a protocol that can not ask', 'unused', '2025'],
  ] as const)('is returned to a client that %s', async (_, answer, mode) => {
    const asked: Sampled[] = []
    const { structuredContent } = await route(await client(answer, asked, mode))
    expect(structuredContent).toMatchObject({ response: null, augmented_prompt: expect.stringContaining(query) })
    expect(asked).toHaveLength(0)
  })

  test('is returned if that model gives no answer', async () => {
    const { structuredContent } = await route(await client(' '))
    expect(structuredContent).toMatchObject({
      response: null,
      augmented_prompt: expect.stringContaining(query),
      degraded: ['remote_model'],
    })
  })

  test('accepts only state that it has sent', async () => {
    const meta = (name: string) => `io.modelcontextprotocol/${name}`
    const message = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'route_query',
        arguments: { project, query },
        requestState: JSON.stringify({ query, response: 42 }),
        _meta: {
          [meta('protocolVersion')]: '2026-07-28',
          [meta('clientInfo')]: { name: 'tests', version: '1.0.0' },
          [meta('clientCapabilities')]: { sampling: {} },
        },
      },
    }
    const response = await fetchWorker(
      new Request('http://localhost/mcp', {
        method: 'POST',
        headers: {
          host: 'localhost',
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': 'route_query',
        },
        body: JSON.stringify(message),
      }),
    )
    const { result } = await response.json<{ result: { isError: boolean; content: { text: string }[] } }>()
    expect(result.isError).toBe(true)
    expect(JSON.parse(result.content[0]?.text ?? '')).toMatchObject({ code: 'invalid_input', field: 'requestState' })
  })

  test('is not sent to any model if no answer was requested', async () => {
    const asked: Sampled[] = []
    const { structuredContent } = await route(await client('unused', asked), { generate_response: false })
    expect(structuredContent).toMatchObject({ response: null, augmented_prompt: null })
    expect(asked).toHaveLength(0)
  })
})

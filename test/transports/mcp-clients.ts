/** The three kinds of MCP client supported on one URL, connected in-process. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { CfWorkerJsonSchemaValidator } from '@modelcontextprotocol/client/validators/cf-worker'
import { Client as Client2025 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport2025 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { jsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/types.js'

export type Fetch = (request: Request) => Promise<Response>

/** A result, as seen by each client. */
export interface ToolAnswer {
  isError?: boolean
  structuredContent?: unknown
  content: { type: string; text?: string }[]
}

/** The methods of a client that the tests use. */
export interface TestClient {
  readonly name: string
  call(tool: string, input: Record<string, unknown>): Promise<ToolAnswer>
  listTools(): Promise<
    { name: string; inputSchema: object; outputSchema?: object; annotations?: object; title?: string }[]
  >
  readResource(uri: string): Promise<{ text: string }>
  listResources(): Promise<{ uri: string }[]>
  listTemplates(): Promise<{ uriTemplate: string }[]>
  complete(uriTemplate: string, argument: { name: string; value: string }): Promise<string[]>
  prompt(name: string, input: Record<string, string>): Promise<string>
  instructions(): string | undefined
  protocol(): string | undefined
  close(): Promise<void>
}

export const CLIENTS = ['sdk v1', 'sdk v2, 2025 protocol', 'sdk v2, 2026 protocol'] as const
export type ClientName = (typeof CLIENTS)[number]

const IDENTITY = { name: 'tests', version: '1.0.0' }

/** Connects a client to an application that is called as a function. */
export async function connect(
  name: ClientName,
  send: Fetch,
  headers: Record<string, string> = {},
  path = '/mcp',
): Promise<TestClient> {
  const url = new URL(path, 'http://localhost')
  const fetch = async (target: string | URL, init?: RequestInit) => {
    const all = new Headers(init?.headers)
    all.set('host', url.host)
    for (const [field, value] of Object.entries(headers)) all.set(field, value)
    return send(new Request(target, { ...init, headers: all }))
  }
  if (name === 'sdk v1') {
    // Its own validator compiles code, which workerd forbids; this one uses the same schemas.
    const client = new Client2025(IDENTITY, {
      jsonSchemaValidator: new CfWorkerJsonSchemaValidator() as unknown as jsonSchemaValidator,
    })
    const transport = new Transport2025(url, { fetch: fetch as typeof globalThis.fetch })
    await client.connect(transport as Parameters<typeof client.connect>[0])
    return wrap(name, client, () => transport.protocolVersion)
  }
  const client = new Client(IDENTITY, name === CLIENTS[2] ? { versionNegotiation: { mode: 'auto' } } : {})
  await client.connect(new StreamableHTTPClientTransport(url, { fetch: fetch as typeof globalThis.fetch }))
  return wrap(name, client, () => client.getNegotiatedProtocolVersion())
}

/** Both generations of the client have the same methods, as far as the tests need. */
function wrap(name: ClientName, client: Client | Client2025, protocol: () => string | undefined): TestClient {
  const any = client as Client
  return {
    name,
    call: async (tool, input) => (await any.callTool({ name: tool, arguments: input })) as unknown as ToolAnswer,
    listTools: async () => (await any.listTools()).tools as never,
    readResource: async (uri) => (await any.readResource({ uri })).contents[0] as { text: string },
    listResources: async () => (await any.listResources()).resources,
    listTemplates: async () => (await any.listResourceTemplates()).resourceTemplates,
    complete: async (uri, argument) =>
      (await any.complete({ ref: { type: 'ref/resource', uri }, argument })).completion.values,
    prompt: async (prompt, input) => {
      const { messages } = await any.getPrompt({ name: prompt, arguments: input })
      const content = messages[0]?.content
      return content?.type === 'text' ? content.text : ''
    },
    instructions: () => any.getInstructions(),
    protocol,
    close: () => any.close(),
  }
}

/**
 * The demo's agent: a real MCP client that measures every call.
 * @module
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

export class DemoClient {
  readonly #client: Client
  calls = 0

  private constructor(client: Client) {
    this.#client = client
  }

  /** Connects to a coordinator's MCP endpoint, newest protocol first. */
  static async connect(url: string): Promise<DemoClient> {
    const client = new Client(
      { name: 'hybrid-coordinator-demo', version: '1.0.0' },
      { versionNegotiation: { mode: 'auto' } },
    )
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
    return new DemoClient(client)
  }

  get protocol(): string {
    return this.#client.getNegotiatedProtocolVersion() ?? 'unknown'
  }

  async toolNames(): Promise<string[]> {
    return (await this.#client.listTools()).tools.map(({ name }) => name)
  }

  /**
   * Calls a tool and returns its structured result.
   * @throws Error if the tool answers with an error
   */
  async call<T>(name: string, input: Record<string, unknown>): Promise<T & { milliseconds: number }> {
    const started = performance.now()
    const result = await this.#client.callTool({ name, arguments: input })
    this.calls++
    if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`)
    return { ...(result.structuredContent as T), milliseconds: performance.now() - started }
  }

  /**
   * Waits for a background job to end and returns its result.
   * @throws Error if it failed permanently, or takes more than a minute
   */
  async result<T>(jobId: string): Promise<T> {
    for (let tries = 0; tries < 120; tries++) {
      const job = await this.call<{ status: string; result: T; last_error: string | null }>('get_job', {
        job_id: jobId,
      })
      if (job.status === 'done') return job.result
      if (job.status === 'dead') throw new Error(`the job failed: ${job.last_error}`)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    throw new Error('the job takes more than a minute')
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

/** A local HTTP server that fails in all the ways in which an engine behind a tunnel can fail. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Fault =
  | 'reset'
  | 'reset mid-body'
  | 'status 500'
  | 'status 429'
  | 'silence'
  | 'slow drip'
  | 'invalid JSON'
  | 'another JSON'
  | 'login page'
  | 'wrong key'
  | 'loading'
  | 'empty body'

export const FAULTS: readonly Fault[] = [
  'reset',
  'reset mid-body',
  'status 500',
  'status 429',
  'silence',
  'slow drip',
  'invalid JSON',
  'another JSON',
  'login page',
  'wrong key',
  'loading',
  'empty body',
]

export type Answer = { status?: number; body: unknown; contentType?: string }

/** Answers each request with `respond`, which names a fault or returns an answer. */
export class FaultyServer {
  readonly requests: { path: string; body: unknown; headers: IncomingMessage['headers'] }[] = []
  respond: (path: string, body: unknown) => Fault | Answer = () => ({ body: {} })
  readonly #server: Server
  readonly #timers = new Set<NodeJS.Timeout>()

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response))
  }

  static async start(): Promise<FaultyServer> {
    const server = createServer()
    const faulty = new FaultyServer(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return faulty
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const part of request) text += part
    const body = text === '' ? null : (JSON.parse(text) as unknown)
    this.requests.push({ path: request.url ?? '', body, headers: request.headers })
    const answer = this.respond(request.url ?? '', body)
    if (typeof answer === 'string') this.#fail(answer, response)
    else {
      const { status = 200, body: reply, contentType = 'application/json' } = answer
      response.writeHead(status, { 'content-type': contentType })
      response.end(typeof reply === 'string' ? reply : JSON.stringify(reply))
    }
  }

  #fail(fault: Fault, response: ServerResponse): void {
    const json = { 'content-type': 'application/json' }
    switch (fault) {
      case 'reset':
        response.destroy()
        break
      case 'reset mid-body':
        response.writeHead(200, json)
        response.write('{"data": [{"index": 0, "embed')
        this.#later(20, () => response.destroy())
        break
      case 'status 500':
        response.writeHead(500, json).end('{"error":{"code":500,"message":"secret stack trace"}}')
        break
      case 'status 429':
        response.writeHead(429, { ...json, 'retry-after': '7' }).end('{}')
        break
      case 'silence':
        break
      case 'slow drip': {
        response.writeHead(200, json)
        this.#timers.add(setInterval(() => response.write(' '), 20))
        break
      }
      case 'invalid JSON':
        response.writeHead(200, json).end('{"data": [,]}')
        break
      case 'another JSON':
        response.writeHead(200, json).end('{"hello": "world"}')
        break
      case 'login page':
        response.writeHead(302, { location: `${this.url}/login` }).end()
        break
      case 'wrong key':
        response.writeHead(401, json).end('{"error":{"message":"Invalid API Key","type":"authentication_error"}}')
        break
      case 'loading':
        response.writeHead(503, json).end('{"error":{"message":"Loading model","type":"unavailable_error","code":503}}')
        break
      case 'empty body':
        response.writeHead(200, json).end()
        break
    }
  }

  #later(ms: number, work: () => void): void {
    this.#timers.add(setTimeout(work, ms))
  }
}

/** A local port without a listener. */
export async function closedPort(): Promise<string> {
  const server = await FaultyServer.start()
  const { url } = server
  await server.stop()
  return url
}

import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalWorker, startLocalWorker } from '../../cli/harness.ts'

/** Clients that disconnect, tested with workerd itself: only there does a cancelled request lose the work after it. */

const KEY = 'the-admin-key-of-this-test'
const LIMIT = 4

let model: Server
let worker: LocalWorker
let hanging = 0

beforeAll(async () => {
  // A model that never answers.
  model = createServer((request, response) => {
    hanging++
    request.resume()
    response.on('close', () => hanging--)
  })
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve))
  const { port } = model.address() as AddressInfo
  worker = await startLocalWorker({
    variables: {
      HYBRID_API_KEY: KEY,
      LLAMA_CPP_BASE_URL: `http://127.0.0.1:${port}`,
      CONCURRENT_REQUESTS_PER_KEY: String(LIMIT),
    },
  })
})

afterAll(async () => {
  await worker?.stop()
  model?.closeAllConnections()
  model?.close()
})

const headers = { 'content-type': 'application/json', 'x-api-key': KEY }

/** Sends the beginning of a request, and returns the connection once it is written. */
function send(path: string, body: string, length = body.length): Promise<Socket> {
  const { hostname, port } = new URL(worker.url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => undefined)
    const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nX-API-Key: ${KEY}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
    socket.write(head + body, () => resolve(socket))
  })
}

/** Sends a request to the model that never answers. */
function ask(stream: boolean): Promise<Socket> {
  const body = { model: 'local', messages: [{ role: 'user', content: 'Well?' }], stream }
  return send('/v1/chat/completions', JSON.stringify(body))
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50))
}

const status = async () => (await fetch(`${worker.url}/collections`, { headers })).status

/**
 * Opens requests until every slot is taken: some may still be held by the previous test, and requests without a slot
 * are rejected.
 */
async function fill(open: () => Promise<Socket>): Promise<Socket[]> {
  const sockets: Socket[] = []
  await until(async () => {
    if ((await status()) === 429) return true
    sockets.push(await open())
    return false
  })
  return sockets
}

test.each([false, true])('stops the model and frees the slots (streamed: %s)', async (stream) => {
  const sockets = await fill(() => ask(stream))
  await until(() => hanging > 0)
  for (const socket of sockets) socket.resetAndDestroy()
  await until(() => hanging === 0)
  await until(async () => (await status()) === 200)
  expect(hanging).toBe(0)
})

test('frees the slots if a body is interrupted', async () => {
  const sockets = await fill(() => send('/track_interaction', '{"query"', 1000))
  for (const socket of sockets) socket.resetAndDestroy()
  await until(async () => (await status()) === 200)
})

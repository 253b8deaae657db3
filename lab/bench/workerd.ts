/**
 * Measures a Worker's memory with V8's inspector.
 * @module
 */
import { once } from 'node:events'
import { createServer } from 'node:net'

/** A message of the inspector. Answers have the id of their request. */
interface Answer {
  readonly id?: number
  readonly result?: Record<string, number>
  readonly error?: { readonly message: string }
}

/** A free port. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}

/**
 * Memory of the product's isolate in bytes: objects, and the buffers of typed arrays (Chrome DevTools Protocol,
 * Runtime.getHeapUsage).
 * @param collect whether to collect garbage first; otherwise uncollected garbage is included
 */
export async function isolateBytes(port: number, collect = false): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/json`)
  const targets = (await response.json()) as { id: string; webSocketDebuggerUrl: string }[]
  const target = targets.find(({ id }) => id.includes('hybrid-coordinator'))
  if (!target) throw new Error(`The inspector shows no Worker of ours, but ${targets.map(({ id }) => id).join(', ')}.`)
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await once(socket, 'open')
  const waiting = new Map<number, (answer: Answer) => void>()
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Answer
    if (message.id !== undefined) waiting.get(message.id)?.(message)
  })
  const ask = (method: string) =>
    new Promise<Record<string, number>>((resolve, reject) => {
      const id = waiting.size + 1
      waiting.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result ?? {})))
      socket.send(JSON.stringify({ id, method }))
    })
  try {
    if (collect) await ask('HeapProfiler.collectGarbage')
    const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = await ask('Runtime.getHeapUsage')
    return usedSize + embedderHeapUsedSize + backingStorageSize
  } finally {
    socket.close()
  }
}

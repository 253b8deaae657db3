/**
 * An embedding server like llama.cpp's, with fault injection. Each word is mapped to a direction; a text's vector is
 * the sum of its words.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from '../../cli/shared/random.ts'
import { type Outage, seedAt } from './plan.ts'

export const DIMENSIONS = 64
/** Longer than a question waits for its vector. */
const SLOW_MS = 2_500

export interface ChaosEngine {
  readonly url: string
  /** Null: no outage. */
  outage: Outage | null
  /** Number of answered and of failed requests. */
  readonly answered: number
  readonly failed: number
  stop(): Promise<void>
}

/** Starts the server on a free port. */
export async function startEngine(): Promise<ChaosEngine> {
  const state = { outage: null as Outage | null, answered: 0, failed: 0 }
  const server = createServer((request, response) => {
    void answer(request, response, state).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get outage() {
      return state.outage
    },
    set outage(outage) {
      state.outage = outage
    },
    get answered() {
      return state.answered
    },
    get failed() {
      return state.failed
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  state: { outage: Outage | null; answered: number; failed: number },
): Promise<void> {
  const { outage } = state
  if (outage === null) state.answered++
  else state.failed++
  if (outage === 'refuses') return void request.socket.destroy()
  let text = ''
  for await (const part of request) text += part
  if (outage === 'is slow') await sleep(SLOW_MS)
  if (outage === 'fails') return void response.writeHead(500).end('{"error":{"message":"out of memory"}}')
  if (outage === 'answers nonsense') return void response.end('{"data":[{"index":0,"embedding":["?"]}]}')
  const { input } = JSON.parse(text) as { input: string[] }
  const data = input.map((one, index) => ({ index, embedding: vectorOf(one) }))
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ data }))
}

function vectorOf(text: string): number[] {
  const sum = new Array<number>(DIMENSIONS).fill(0)
  for (const word of text.toLowerCase().match(/[a-z]{3,}/g) ?? ['nothing']) {
    const random = seeded(seedAt(...Buffer.from(word)))
    for (let i = 0; i < DIMENSIONS; i++) sum[i] = (sum[i] ?? 0) + random() - 0.5
  }
  return sum
}

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { CLIENTS, pythonWith } from '../clients/install.ts'
import { allow } from './consent.ts'

/** Two common clients sign in, track an answer and report its outcome. */

const ADMIN = 'the-admin-key-of-this-test'
const FASTMCP = '4.2.3'
const run = promisify(execFile)

let worker: LocalWorker
let folder: string
let key: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oauth-clients-'))
  worker = await startLocalWorker({ variables: { HYBRID_API_KEY: ADMIN } })
  const admin = createHttpClient({ url: worker.url, key: ADMIN })
  const made = await admin.post<{ key: string }>('/keys', {
    name: 'agent',
    scopes: ['read', 'write', 'learn'],
    project: 'signed-in',
  })
  key = made.key
})

afterAll(async () => {
  await worker?.stop()
  await rm(folder, { recursive: true, force: true })
})

const answer = { query: 'What is the timeout?', response: '60 s.', agent_type: 'remote', model_used: 'm' }

async function outcomeOf(id: string): Promise<unknown> {
  const [row] = await worker.query('SELECT project, outcome FROM interactions WHERE id = ?', id)
  return row
}

describe('mcp-remote', () => {
  test('signs in with dynamic registration, then tracks and reports an outcome', async () => {
    const child = spawn('npx', ['mcp-remote', `${worker.url}/mcp`, '--transport', 'http-only'], {
      cwd: join(import.meta.dirname, '..'),
      // No browser: the address is read from its output.
      env: { ...process.env, MCP_REMOTE_CONFIG_DIR: folder, BROWSER: 'true', DISPLAY: '' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    try {
      const printed: string[] = []
      const address = Promise.withResolvers<string>()
      createInterface({ input: child.stderr }).on('line', (line) => {
        printed.push(line)
        const [url] = /https?:\/\/\S+\/authorize\?\S+/.exec(line) ?? []
        if (url) address.resolve(url)
      })
      const answers = new Map<number, (message: Rpc) => void>()
      createInterface({ input: child.stdout }).on('line', (line) => {
        const message = JSON.parse(line) as Rpc
        answers.get(message.id ?? -1)?.(message)
      })
      child.on('exit', (code) => address.reject(new Error(`mcp-remote ended with ${code}: ${printed.join('\n')}`)))
      const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
      const ask = (id: number, method: string, params: object) => {
        const answered = Promise.withResolvers<Rpc>()
        answers.set(id, answered.resolve)
        send({ id, method, params })
        return answered.promise
      }
      const initialized = ask(1, 'initialize', {
        protocolVersion: '2025-06-18',
        capabilities: {},
        clientInfo: { name: 'test', version: '1' },
      })
      expect(await allow(await address.promise, key)).toEqual(['read', 'write', 'learn'])
      expect((await initialized).result).toBeDefined()
      send({ method: 'notifications/initialized' })
      const tracked = await ask(2, 'tools/call', { name: 'track_interaction', arguments: answer })
      const { interaction_id } = tracked.result?.structuredContent ?? {}
      const reported = await ask(3, 'tools/call', {
        name: 'update_outcome',
        arguments: { interaction_id, outcome: 'success' },
      })
      expect(reported.result?.isError).toBeFalsy()
      expect(await outcomeOf(String(interaction_id))).toEqual({ project: 'signed-in', outcome: 'success' })
    } finally {
      child.removeAllListeners('exit')
      child.stdin.end()
      child.kill()
    }
  })
})

interface Rpc {
  id?: number
  result?: { isError?: boolean; structuredContent?: { interaction_id?: string } }
}

const SCRIPT = `
import asyncio, json, sys
from fastmcp import Client

async def main():
    async with Client(sys.argv[1], auth="oauth") as client:
        tracked = await client.call_tool("track_interaction", json.loads(sys.argv[2]))
        interaction_id = tracked.structured_content["interaction_id"]
        await client.call_tool("update_outcome", {"interaction_id": interaction_id, "outcome": "success"})
        print(interaction_id)

asyncio.run(main())
`

describe('fastmcp', () => {
  test('signs in through a browser, then tracks and reports an outcome', async () => {
    const python = await pythonWith(process.env.LAB_CLIENTS_FOLDER ?? CLIENTS, `fastmcp==${FASTMCP}`, true)
    if (!python) throw new Error('fastmcp was not installed')
    const script = join(folder, 'client.py')
    await writeFile(script, SCRIPT)
    const browser = `${process.execPath} ${join(import.meta.dirname, 'consent.ts')} %s &`
    const env = { ...process.env, BROWSER: browser, HYBRID_TEST_KEY: key, HOME: folder }
    const { stdout } = await run(python, [script, `${worker.url}/mcp`, JSON.stringify(answer)], { env })
    expect(await outcomeOf(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
      project: 'signed-in',
      outcome: 'success',
    })
  })
})

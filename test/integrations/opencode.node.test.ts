/** The plugin inside OpenCode's process: `opencode run` exits at the end of a turn and waits for no plugin. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { hybridCoordinator } from '../../integrations/opencode/plugin.mjs'

type Hook = (...parameters: unknown[]) => Promise<void>

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opencode-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))

/** The hooks of a plugin whose coordinator is away, with what OpenCode answers to requests. */
async function hooks(messages: unknown[] = []): Promise<{ message: Hook; event: Hook }> {
  const file = join(folder, 'settings.json')
  const settings = { HYBRID_URL: 'http://127.0.0.1:2', HYBRID_STATE_FOLDER: folder, HYBRID_REFRESH: 'off' }
  writeFileSync(file, JSON.stringify(settings))
  const session = { get: async () => ({ data: {} }), messages: async () => ({ data: messages }) }
  const made = (await hybridCoordinator(file)({ client: { session }, directory: folder })) as Record<string, Hook>
  const event = made.event as Hook
  return { message: made['chat.message'] as Hook, event: (one) => event({ event: one }) }
}

const kept = () => readdirSync(folder).filter((name) => name.startsWith('undelivered-'))
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
const asked = [{ sessionID: 's' }, { message: { id: 'm1' }, parts: [{ type: 'text', text: 'Why?' }] }]
const info = { id: 'm2', sessionID: 's', role: 'assistant', parentID: 'm1', modelID: 'fake' }
const part = (text: string) => ({
  type: 'message.part.updated',
  properties: { part: { id: 'p1', sessionID: 's', messageID: 'm2', type: 'text', text } },
})
const idle = { type: 'session.idle', properties: { sessionID: 's' } }

it('has the answer on the disk before OpenCode can exit, with the session that points at it', async () => {
  const { message, event } = await hooks()
  await message(...asked)
  await event({ type: 'message.updated', properties: { info } })
  await event(part('Because'))
  await event(part('Because of the proxy.'))
  const tracking = event(idle)
  // Only what was begun already runs before this: no request, no file that is read meanwhile.
  await Promise.resolve().then(() => undefined)
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
  const [name = ''] = kept()
  expect(read(name).tracked).toMatchObject({ query: 'Why?', response: 'Because of the proxy.', model_used: 'fake' })
  expect(read('session-s.json').last).toEqual({ kept: name })
  await tracking
})

it('asks OpenCode for an answer whose events it has not seen, and keeps none that broke off', async () => {
  const whole = { info, parts: [{ type: 'text', text: 'Because of the proxy.' }] }
  const first = await hooks([whole])
  await first.message(...asked)
  await first.event(idle)
  expect(kept()).toHaveLength(1)
  const second = await hooks([whole])
  await second.message(...asked)
  await second.event({ type: 'message.updated', properties: { info: { ...info, error: { name: 'aborted' } } } })
  await second.event(idle)
  expect(kept()).toHaveLength(1)
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Answer, coordinator, of, run } from './hook-coordinator.node.ts'
import { kept, prompt, running, state, stop } from './hook-process.node.ts'

/** What the hooks do about a coordinator that is slow, unavailable or another program. */

describe('hooks deliver what they recorded', () => {
  it.each<[string, Answer]>([
    [
      'a login page',
      (_, __, response) => response.setHeader('content-type', 'text/html').end('<html>Sign in</html>') && true,
    ],
    ['an empty body', (_, __, response) => response.end() && true],
    ['JSON of somebody else', () => ({ ok: true })],
    ['a list', () => []],
    ['null', (_, __, response) => response.end('null') && true],
    [
      'a redirect to a login page',
      (path, _, response) =>
        (path === '/login' ? response.end('<html>') : response.writeHead(302, { location: '/login' }).end()) && true,
    ],
    ['a 404 of a proxy', (_, __, response) => response.writeHead(404).end('not here') && true],
    [
      'half a body',
      (_, __, response) => response.writeHead(200, { 'content-length': '100' }).write('{"interaction_id":') && true,
    ],
    [
      'half a compressed body',
      (_, __, response) =>
        response
          .writeHead(200, { 'content-encoding': 'gzip' })
          .write(gzipSync('{"interaction_id":"i1","pad":"aaaaaaaa"}').subarray(0, 20)) && true,
    ],
  ])('store a turn that was answered with %s, and send it once, later', async (_, strange) => {
    await run(prompt('s', 'q'))
    coordinator.answer = strange
    const ended = await run(stop('s', 'answer'), { HYBRID_TIMEOUT_MS: '700' })
    expect(ended).toMatchObject({ code: 0, out: '' })
    expect(await kept()).toHaveLength(1)
    coordinator.answer = () => undefined
    coordinator.requests = []
    await run(prompt('t', 'q2'))
    await run(stop('t', 'answer 2'))
    expect(of('/track_interaction').map(({ response }) => response)).toEqual(['answer 2', 'answer'])
    expect(await kept()).toEqual([])
  })

  it('drop turns that the coordinator itself rejects permanently, and report it', async () => {
    await run(prompt('s', 'q'))
    coordinator.answer = (path, _, response) =>
      path === '/track_interaction' &&
      response.writeHead(400).end(JSON.stringify({ code: 'invalid_input', detail: 'too strange' })) &&
      true
    const { err } = await run(stop('s', 'answer'))
    expect(err).toContain('refused: too strange')
    expect(err).not.toContain('kept')
    expect(await kept()).toEqual([])
  })

  it('send a stored turn with the verdict of the person, and only to its coordinator', async () => {
    await run(prompt('s', 'q'))
    await run(stop('s', 'answer'), { HYBRID_URL: 'http://127.0.0.1:2' })
    // Stored for the other address: this one never gets it.
    await run(prompt('t', 'q'))
    await run(stop('t', 'answer t'))
    expect(of('/track_interaction').map(({ response }) => response)).toEqual(['answer t'])
    expect(await kept()).toHaveLength(1)

    coordinator.answer = (path, _, response) => path !== '/augment_query' && response.writeHead(503).end() && true
    await run(prompt('u', 'q'))
    await run(stop('u', 'answer u'))
    await run(prompt('u', 'That works'))
    coordinator.answer = () => undefined
    await run(stop('u', 'fine'))
    expect(of('/update_outcome')).toEqual([
      { interaction_id: expect.any(String), outcome: 'success', user_feedback: 1 },
    ])
  })

  it.each([
    ['before the coordinator has the answer', false],
    ['before it knows that the coordinator has the answer', true],
  ])('lose neither answer nor verdict if the agent kills them %s', async (_, arrives) => {
    await run(prompt('s', 'q'))
    const keys = new Set<unknown>()
    coordinator.answer = (path, body) => {
      if (path !== '/track_interaction') return undefined
      if (arrives) keys.add(body.idempotency_key)
      running?.kill('SIGKILL')
      return new Promise(() => undefined)
    }
    await run(stop('s', 'answer'))
    coordinator.answer = (path, body) => {
      if (path !== '/track_interaction') return undefined
      keys.add(body.idempotency_key)
      return { interaction_id: `of ${body.idempotency_key}` }
    }
    coordinator.requests = []
    await run(prompt('s', 'That works, thanks.'))
    expect(of('/track_interaction')).toMatchObject([{ query: 'q', response: 'answer' }])
    expect(of('/update_outcome')).toEqual([
      { interaction_id: `of ${[...keys][0]}`, outcome: 'success', user_feedback: 1 },
    ])
    expect(keys.size).toBe(1)
    expect(await kept()).toEqual([])
  })

  it('end within the time limit of a turn, however slow the coordinator and however many turns are stored', async () => {
    await run(prompt('s', 'q'))
    for (let index = 0; index < 8; index++) {
      const parcel = { url: coordinator.url, tracked: { response: `waits ${index}` }, outcomes: [] }
      await writeFile(join(state, `undelivered-${index}-1.json`), JSON.stringify(parcel))
    }
    coordinator.answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 400))
    await run(stop('s', 'answer'), { HYBRID_ANSWER_MS: '1500' })
    // Sequentially they would take 3.6 s: the time is enough for three or four of the nine.
    const sent = of('/track_interaction').length
    expect(sent).toBeGreaterThanOrEqual(1)
    expect(sent).toBeLessThanOrEqual(4)
    expect((await kept()).length).toBeGreaterThanOrEqual(5)
  })

  it('wait longer for the first call of a session, when the coordinator may be cold', async () => {
    coordinator.answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 2500))
    const first = await run(prompt('s', 'q'), { HYBRID_TIMEOUT_MS: '' })
    expect(JSON.parse(first.out).hookSpecificOutput.additionalContext).toContain('attempts counts')
    const second = await run(prompt('s', 'q'), { HYBRID_TIMEOUT_MS: '' })
    expect(second).toMatchObject({ code: 0, out: '' })
    expect(second.err).toContain('no context: no answer within 2000 ms')
  })

  it('warm up the coordinator at session start, and report once if it is unavailable', async () => {
    const start = { hook_event_name: 'SessionStart', session_id: 's', source: 'startup' }
    expect((await run(start, { HYBRID_PROJECT: 'p' })).out).toBe('')
    await expect.poll(() => of('/hybrid_search'), { timeout: 1_800_000 }).toMatchObject([{ project: 'p', limit: 1 }])
    const away = JSON.parse((await run(start, { HYBRID_URL: 'http://127.0.0.1:2' })).out)
    expect(away.systemMessage).toContain('ECONNREFUSED')
    expect(away.systemMessage).toContain('npm run dev -- start')
    coordinator.answer = (_, __, response) =>
      response.writeHead(401).end(JSON.stringify({ code: 'unauthorized', detail: 'needs a key' })) && true
    expect(JSON.parse((await run(start)).out).systemMessage).toMatch(/needs a key.*--key/)
  })
})

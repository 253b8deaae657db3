import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createHttpClient, type HttpClient } from '../../cli/shared/http.ts'
import { type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'
import events from '../fixtures/hooks/events.json' with { type: 'json' }

/** The hooks as run by clients: an event on standard input, settings in the environment or in a file. */

const HOOK = join(import.meta.dirname, '../../integrations/hooks/hook.mjs')
const transcript = (name: string) => join(import.meta.dirname, `../fixtures/hooks/transcript-${name}.jsonl`)

let state: string

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'hooks-'))
})
afterEach(() => rm(state, { recursive: true, force: true, maxRetries: 3 }))

/** The most recently started hook. */
let running: ReturnType<typeof spawn> | undefined

interface Ended {
  code: number | null
  out: string
  err: string
}

function hook(event: unknown, env: Record<string, string>, parameters: string[] = []): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [HOOK, ...parameters], {
      env: {
        PATH: process.env.PATH,
        HYBRID_STATE_FOLDER: state,
        HYBRID_DEBUG: '1',
        HYBRID_REFRESH: 'off',
        // Time limits don't matter in these tests, except where stated.
        HYBRID_TIMEOUT_MS: '15000',
        HYBRID_ANSWER_MS: '30000',
        ...env,
      },
    })
    running = child
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('close', (code) => resolve({ code, out, err }))
    child.stdin.end(typeof event === 'string' ? event : JSON.stringify(event))
  })
}

const kept = async () => (await readdir(state)).filter((name) => name.startsWith('undelivered-'))
const prompt = (session: string, text: string, more: object = {}) => ({
  hook_event_name: 'UserPromptSubmit',
  session_id: session,
  prompt: text,
  ...more,
})
const stop = (session: string, answer: string, more: object = {}) => ({
  hook_event_name: 'Stop',
  session_id: session,
  transcript_path: '',
  last_assistant_message: answer,
  ...more,
})

type Body = Record<string, unknown>
type Answer = (path: string, body: Body, response: ServerResponse) => unknown

describe('hooks against a coordinator', () => {
  let server: Server
  let url: string
  let requests: { path: string; body: Body }[]
  /** Replaces the default answer if it returns something; `true`: it has already answered. */
  let answer: Answer
  const of = (path: string) => requests.filter((request) => request.path === path).map(({ body }) => body)

  beforeEach(async () => {
    requests = []
    answer = () => undefined
    server = createServer(async (request: IncomingMessage, response) => {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece)
      const path = (request.url ?? '').split('?')[0] ?? ''
      const body: Body = pieces.length > 0 ? JSON.parse(Buffer.concat(pieces).toString()) : {}
      requests.push({ path, body })
      const special = await answer(path, body, response)
      if (special === true) return
      const number = of('/track_interaction').length
      const usual: Body = {
        '/augment_query': {
          augmented_prompt: `${body.query}\n\n---\n\n[1] retry\n<context>\nattempts counts the first call\n</context>`,
          original_query: body.query,
          context_ids: ['codebase-context/1'],
          context_count: 1,
          retrieval_id: 'r1',
        },
        '/track_interaction': { interaction_id: `i${number}` },
        '/update_outcome': { interaction_id: body.interaction_id },
        '/collections': { collections: [] },
        '/hybrid_search': { degraded: [] },
      }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(special ?? usual[path] ?? {}))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const run = (event: unknown, env: Record<string, string> = {}, parameters: string[] = []) =>
    hook(event, { HYBRID_URL: url, ...env }, parameters)

  it('send a question that starts with a heading, and track it', async () => {
    const { out } = await run(prompt('s', '# Bug: invoices are sent twice\nSteps: retry the webhook'))
    expect(JSON.parse(out).hookSpecificOutput.additionalContext).toContain('attempts counts')
    await run(stop('s', 'Add an idempotency key.'))
    expect(of('/track_interaction')).toMatchObject([
      { query: expect.stringMatching(/^# Bug/), response: 'Add an idempotency key.' },
    ])
  })

  it('ignore texts that no person wrote, including their answers and verdicts', async () => {
    await run(prompt('s', 'How does the billing job retry?'))
    await run(stop('s', 'It does not.'))
    const notice = '<task-notification> <task-id>b12</task-id> <summary>exit code 0</summary> </task-notification>'
    expect((await run(prompt('s', notice))).out).toBe('')
    await run(stop('s', 'The build is finished.'))
    await run(prompt('s', 'That works'))
    expect(of('/augment_query').map(({ query }) => query)).toEqual(['How does the billing job retry?', 'That works'])
    expect(of('/track_interaction')).toHaveLength(1)
    expect(of('/update_outcome')).toEqual([])
  })

  it('never attach an answer to the question of an interrupted turn', async () => {
    await run(prompt('s', 'how does the billing job retry failed charges?'))
    await run(prompt('s', '/haiku about otters'))
    await run(stop('s', 'Otters drift in kelp.'))
    expect(of('/track_interaction')).toEqual([])
    // Another turn id, or another prompt in the transcript, indicates the interruption.
    await run(prompt('s', 'first question', { prompt_id: 'p1' }))
    await run(stop('s', 'answer to something else', { prompt_id: 'p2' }))
    await run(prompt('t', 'first question', { prompt_id: 'p1' }))
    const path = join(state, 'transcript.jsonl')
    const lines = ['p1', 'p2'].map((promptId) =>
      JSON.stringify({ type: 'user', promptId, message: { content: promptId } }),
    )
    await writeFile(path, lines.join('\n'))
    await run(stop('t', 'answer to p2', { transcript_path: path }))
    expect(of('/track_interaction')).toEqual([])
  })

  it('ignore a verdict on an answer before an interrupted turn', async () => {
    await run(prompt('s', 'one'))
    await run(stop('s', 'answer one'))
    await run(prompt('s', 'two'))
    await run(prompt('s', 'That works'))
    expect(of('/update_outcome')).toEqual([])
  })

  it('track the final answer after another hook rejected the first, and judge that one', async () => {
    await run(prompt('s', 'make the tests pass'))
    await run(stop('s', 'I fixed one test.'))
    await run(stop('s', 'All tests pass now; the cause was the clock.', { stop_hook_active: true }))
    await run(stop('s', 'A background task ended.'))
    const [first, second, ...more] = of('/track_interaction')
    expect(more).toEqual([])
    expect([first?.response, second?.response]).toEqual([
      'I fixed one test.',
      'All tests pass now; the cause was the clock.',
    ])
    expect(first?.idempotency_key).not.toBe(second?.idempotency_key)
    await run(prompt('t', 'again'))
    await run(stop('t', 'no'))
    await run(stop('t', 'yes', { stop_hook_active: true }))
    await run(prompt('t', 'that works'))
    expect(of('/update_outcome')).toEqual([{ interaction_id: 'i4', outcome: 'success', user_feedback: 1 }])
  })

  it('report plain verdicts of a person, and nothing else', async () => {
    for (const [index, text] of ['Great, now the build crashes with EBADF', 'that doesn’t work'].entries()) {
      await run(prompt(`s${index}`, 'How?'))
      await run(stop(`s${index}`, 'So.'))
      await run(prompt(`s${index}`, text))
    }
    expect(of('/update_outcome')).toEqual([{ interaction_id: 'i2', outcome: 'failure', user_feedback: -1 }])
    await run(prompt('off', 'How?'))
    await run(stop('off', 'So.'))
    await run(prompt('off', 'that works'), { HYBRID_OUTCOMES: 'off' })
    expect(of('/update_outcome')).toHaveLength(1)
  })

  it('truncate prompts and answers between characters', async () => {
    const flower = '\u{1F338}'
    await run(prompt('s', `${'a'.repeat(99_999)}${flower} end`))
    await run(stop('s', `${'a'.repeat(199_999)}${flower} end\uD83C`))
    const [tracked] = of('/track_interaction') as { query: string; response: string }[]
    expect(tracked?.query).toBe('a'.repeat(99_999))
    expect(tracked?.response).toBe('a'.repeat(199_999))
    await run(prompt('t', 'half \uD83C of one'))
    expect(of('/augment_query').at(-1)?.query).toBe('half \uFFFD of one')
  })

  it('never leave a passage open', async () => {
    const passage = `<context-0a1z>\n[1] a\n${'x'.repeat(6000)}\n</context-0a1z>`
    answer = (path, body) =>
      path === '/augment_query'
        ? {
            augmented_prompt: `${body.query}\n\n${passage}\n\n${passage}`,
            original_query: body.query,
            context_count: 2,
          }
        : undefined
    const { out } = await run(prompt('s', 'q'))
    expect(JSON.parse(out).hookSpecificOutput.additionalContext).toBe(passage)
  })

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
    answer = strange
    const ended = await run(stop('s', 'answer'), { HYBRID_TIMEOUT_MS: '700' })
    expect(ended).toMatchObject({ code: 0, out: '' })
    expect(await kept()).toHaveLength(1)
    answer = () => undefined
    requests = []
    await run(prompt('t', 'q2'))
    await run(stop('t', 'answer 2'))
    expect(of('/track_interaction').map(({ response }) => response)).toEqual(['answer 2', 'answer'])
    expect(await kept()).toEqual([])
  })

  it('drop turns that the coordinator itself rejects permanently, and report it', async () => {
    await run(prompt('s', 'q'))
    answer = (path, _, response) =>
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

    answer = (path, _, response) => path !== '/augment_query' && response.writeHead(503).end() && true
    await run(prompt('u', 'q'))
    await run(stop('u', 'answer u'))
    await run(prompt('u', 'That works'))
    answer = () => undefined
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
    answer = (path, body) => {
      if (path !== '/track_interaction') return undefined
      if (arrives) keys.add(body.idempotency_key)
      running?.kill('SIGKILL')
      return new Promise(() => undefined)
    }
    await run(stop('s', 'answer'))
    answer = (path, body) => {
      if (path !== '/track_interaction') return undefined
      keys.add(body.idempotency_key)
      return { interaction_id: `of ${body.idempotency_key}` }
    }
    requests = []
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
      const parcel = { url, tracked: { response: `waits ${index}` }, outcomes: [] }
      await writeFile(join(state, `undelivered-${index}-1.json`), JSON.stringify(parcel))
    }
    answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 400))
    await run(stop('s', 'answer'), { HYBRID_ANSWER_MS: '1500' })
    // Sequentially they would take 3.6 s: the time is enough for three or four of the nine.
    const sent = of('/track_interaction').length
    expect(sent).toBeGreaterThanOrEqual(1)
    expect(sent).toBeLessThanOrEqual(4)
    expect((await kept()).length).toBeGreaterThanOrEqual(5)
  })

  it('wait longer for the first call of a session, when the coordinator may be cold', async () => {
    answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 2500))
    const first = await run(prompt('s', 'q'), { HYBRID_TIMEOUT_MS: '' })
    expect(JSON.parse(first.out).hookSpecificOutput.additionalContext).toContain('attempts counts')
    const second = await run(prompt('s', 'q'), { HYBRID_TIMEOUT_MS: '' })
    expect(second).toMatchObject({ code: 0, out: '' })
    expect(second.err).toContain('no context: no answer within 2000 ms')
  })

  it('warm up the coordinator at session start, and report once if it is unavailable', async () => {
    const start = { hook_event_name: 'SessionStart', session_id: 's', source: 'startup' }
    expect((await run(start, { HYBRID_PROJECT: 'p' })).out).toBe('')
    await expect.poll(() => of('/hybrid_search'), { timeout: 120_000 }).toMatchObject([{ project: 'p', limit: 1 }])
    const away = JSON.parse((await run(start, { HYBRID_URL: 'http://127.0.0.1:2' })).out)
    expect(away.systemMessage).toContain('ECONNREFUSED')
    expect(away.systemMessage).toContain('npm run dev -- start')
    answer = (_, __, response) =>
      response.writeHead(401).end(JSON.stringify({ code: 'unauthorized', detail: 'needs a key' })) && true
    expect(JSON.parse((await run(start)).out).systemMessage).toMatch(/needs a key.*--key/)
  })

  it('report an invalid setting, and use its default', async () => {
    const { out, err } = await run(prompt('s', 'q'), { HYBRID_TIMEOUT_MS: '-5', HYBRID_TOKEN_BUDGET: '0' })
    expect(out).toContain('attempts counts')
    expect(err).toContain('HYBRID_TIMEOUT_MS must be a number from 1 to 60000, not "-5"')
    expect(of('/augment_query')).toMatchObject([{ token_budget: 0 }])
    const start = { hook_event_name: 'SessionStart', session_id: 's' }
    expect((await run(start, { HYBRID_TIMEOUT_MS: '-5' })).out).toContain('HYBRID_TIMEOUT_MS')
  })

  it('ignore a slash command, an unknown event and invalid events', async () => {
    const broken = [
      '',
      '{',
      '[]',
      'null',
      '"x"',
      { hook_event_name: 'Stop' },
      { hook_event_name: 'constructor', session_id: 's' },
    ]
    for (const event of [
      prompt('s', '/compact'),
      { hook_event_name: 'Notification' },
      prompt('../../etc', 'x'),
      ...broken,
    ])
      expect((await run(event)).code).toBe(0)
    expect(of('/augment_query')).toHaveLength(1)
    expect((await readdir(state)).every((name) => name.startsWith('session-'))).toBe(true)
  })

  it('read only the end of a long transcript', async () => {
    await run(prompt('s', 'q', { prompt_id: 'p' }))
    const path = join(state, 'transcript.jsonl')
    const filler = JSON.stringify({
      type: 'user',
      message: { content: [{ type: 'tool_result', content: 'x'.repeat(1e6) }] },
    })
    const end = { type: 'assistant', message: { id: 'm', model: 'big', content: [{ type: 'text', text: 'answer' }] } }
    const turn = [JSON.stringify({ type: 'user', promptId: 'p', message: { content: 'q' } }), JSON.stringify(end)]
    await writeFile(path, [...Array(20).fill(filler), ...turn].join('\n'))
    await run(stop('s', 'answer', { transcript_path: path, prompt_id: 'p' }))
    expect(of('/track_interaction')).toMatchObject([{ model_used: 'big' }])
  })

  it('support Codex, with settings from a file', async () => {
    const file = join(state, 'settings.json')
    await writeFile(file, JSON.stringify({ HYBRID_URL: url, HYBRID_PROJECT: 'from-file', HYBRID_API_KEY: 'k' }))
    const common = {
      session_id: 'c',
      turn_id: 't1',
      cwd: '/',
      model: 'gpt-6-codex',
      permission_mode: 'default',
      transcript_path: null,
    }
    const asked = await hook(
      { ...common, hook_event_name: 'UserPromptSubmit', prompt: 'q' },
      { HYBRID_URL: 'http://127.0.0.1:2' },
      ['codex', file],
    )
    expect(JSON.parse(asked.out)).toEqual({
      hookSpecificOutput: {
        hookEventName: 'UserPromptSubmit',
        additionalContext: expect.stringContaining('attempts counts'),
      },
    })
    await hook({ ...common, hook_event_name: 'Stop', stop_hook_active: false, last_assistant_message: 'a' }, {}, [
      'codex',
      file,
    ])
    expect(of('/track_interaction')).toMatchObject([
      { project: 'from-file', model_used: 'gpt-6-codex', tags: ['codex'], idempotency_key: 'codex:c:t1' },
    ])
    expect((await hook(prompt('d', 'q'), {}, ['codex', join(state, 'gone.json')])).err).toContain(
      'run npm run connect again',
    )
  })

  it('support Gemini CLI', async () => {
    const common = { session_id: 'g', cwd: '/', timestamp: '2026-11-30T00:00:00Z', transcript_path: '/nowhere.json' }
    const asked = await run({ ...common, hook_event_name: 'BeforeAgent', prompt: 'q' }, {}, ['gemini'])
    expect(JSON.parse(asked.out).hookSpecificOutput).toMatchObject({ hookEventName: 'BeforeAgent' })
    await run(
      { ...common, hook_event_name: 'AfterAgent', prompt: 'q', prompt_response: 'a', stop_hook_active: false },
      {},
      ['gemini'],
    )
    expect(of('/track_interaction')).toMatchObject([
      { query: 'q', response: 'a', model_used: 'gemini', tags: ['gemini'] },
    ])
    // It is sent before every turn, whether it compresses or not.
    await run({ ...common, hook_event_name: 'PreCompress', trigger: 'auto' }, {}, ['gemini'])
    await run({ ...common, hook_event_name: 'BeforeAgent', prompt: 'q' }, {}, ['gemini'])
    await run({ ...common, hook_event_name: 'PreCompress', trigger: 'manual' }, {}, ['gemini'])
    await run({ ...common, hook_event_name: 'BeforeAgent', prompt: 'q' }, {}, ['gemini'])
    expect(of('/augment_query').map(({ conversation_id: id }) => id)).toEqual(['g', 'g', 'g.1'])
  })
})

describe('hooks of Claude Code against the Worker', () => {
  const PROJECT = 'hooked'
  let worker: LocalWorker
  let http: HttpClient

  beforeAll(async () => {
    worker = await startLocalWorker({ variables: { HOLD_OUT_SHARE: '0' } })
    http = createHttpClient({ url: worker.url })
    await http.post('/knowledge/items', {
      project: PROJECT,
      collection: 'error-solutions',
      items: [
        {
          fields: {
            error_message: 'The retry policy gives up after one attempt',
            solution: 'attempts counts the first call too: set it to 3 to get two repetitions of the retry policy.',
          },
        },
      ],
    })
  })
  afterAll(() => worker?.stop())

  interface Tracked {
    interaction_id: string
    conversation_id: string | null
    contexts: { context_id: string }[]
  }
  const run = (event: unknown) => hook(event, { HYBRID_URL: worker.url, HYBRID_PROJECT: PROJECT })
  const session = (id: string) => ({
    prompt: { ...events.prompt, session_id: id },
    stop: { ...events.stop, session_id: id, transcript_path: transcript('passing') },
    end: { ...events.end, session_id: id },
  })
  async function tracked(id: string): Promise<Tracked[]> {
    const { interactions } = await http.get<{ interactions: Tracked[] }>(`/interactions?project=${PROJECT}&limit=100`)
    const all = await Promise.all(
      interactions.map(({ interaction_id }) => http.get<Tracked>(`/interactions/${interaction_id}`)),
    )
    return all.filter(({ conversation_id }) => conversation_id?.startsWith(id))
  }

  it('give a prompt its context, track the answer, and report the result of the tests', async () => {
    const { prompt, stop, end } = session('first')
    const answer = await run(prompt)
    expect(answer.code).toBe(0)
    const { hookSpecificOutput: output } = JSON.parse(answer.out)
    expect(output.hookEventName).toBe('UserPromptSubmit')
    expect(output.additionalContext).toContain('set it to 3 to get two repetitions')
    // The model already has the prompt itself.
    expect(output.additionalContext).not.toContain(events.prompt.prompt)
    expect(output.additionalContext.length).toBeLessThanOrEqual(10_000)

    expect(await run(stop)).toMatchObject({ code: 0, out: '' })
    const [interaction, ...others] = await tracked('first')
    expect(others).toEqual([])
    expect(interaction).toMatchObject({
      query: events.prompt.prompt,
      response: events.stop.last_assistant_message,
      model_used: 'claude-opus-4-8',
      tokens_used: 3087,
      latency_ms: 978,
      outcome: 'success',
      tags: ['claude-code'],
    })
    expect(interaction?.contexts).toHaveLength(1)
    await run(end)
    // The question and its context are deleted; the id of the last answer is kept.
    const [left = '', ...rest] = await readdir(state)
    expect(rest).toEqual([])
    expect(JSON.parse(await readFile(join(state, left), 'utf8'))).toEqual({ last: { id: interaction?.interaction_id } })
    await run({ ...prompt, prompt_id: 'resumed', prompt: "That didn't work" })
    expect((await tracked('first'))[0]).toMatchObject({ outcome: 'failure', user_feedback: -1 })
  })

  it('wait for a transcript that is still being written', async () => {
    const { prompt, stop } = session('slow')
    const whole = await readFile(transcript('passing'), 'utf8')
    const path = join(state, 'transcript.jsonl')
    await writeFile(path, `${whole.split('\n').slice(0, 5).join('\n')}\n`)
    await run(prompt)
    const stopped = run({ ...stop, transcript_path: path })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await writeFile(path, whole)
    await stopped
    expect((await tracked('slow'))[0]).toMatchObject({ tokens_used: 3087, outcome: 'success' })
  })

  it('read a verdict from the next prompt, which overrides the tests', async () => {
    const { prompt, stop } = session('judged')
    await run(prompt)
    await run(stop)
    await run({ ...prompt, prompt_id: 'next', prompt: "That didn't work" })
    expect((await tracked('judged'))[0]).toMatchObject({ outcome: 'failure', user_feedback: -1 })
  })

  it('send nothing twice within a conversation, and send it again after a compaction', async () => {
    const { prompt } = session('twice')
    expect((await run(prompt)).out).toContain('set it to 3')
    const again = await run({ ...prompt, prompt_id: 'p2' })
    expect(again.out).not.toContain('set it to 3')
    await run({ ...events.end, session_id: 'twice', hook_event_name: 'SessionStart', source: 'compact' })
    expect((await run({ ...prompt, prompt_id: 'p3' })).out).toContain('set it to 3')
  })
})

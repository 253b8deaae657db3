import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { run as connect } from '../../cli/connect.ts'
import { createHttpClient, type HttpClient } from '../../cli/shared/http.ts'
import { type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'
import events from '../fixtures/claude-code/events.json' with { type: 'json' }

/** The hooks as Claude Code runs them: a recorded event on standard input, the environment of its settings file. */

const HOOK = join(import.meta.dirname, '../../integrations/claude-code/hook.mjs')
const transcript = (name: string) => join(import.meta.dirname, `../fixtures/claude-code/transcript-${name}.jsonl`)
const PROJECT = 'hooked'

let worker: LocalWorker
let http: HttpClient
let state: string

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
}, 60_000)
afterAll(() => worker?.stop())
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'hooks-'))
  return () => rm(state, { recursive: true, force: true })
})

interface Tracked {
  query: string
  response: string
  model_used: string
  tokens_used: number
  latency_ms: number
  contexts: { context_id: string }[]
  outcome: string | null
  user_feedback: number | null
  tags: string[]
  conversation_id: string | null
}

function hook(
  event: object,
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [HOOK], {
      env: {
        PATH: process.env.PATH,
        HYBRID_URL: worker.url,
        HYBRID_PROJECT: PROJECT,
        HYBRID_STATE_FOLDER: state,
        HYBRID_DEBUG: '1',
        HYBRID_TIMEOUT_MS: '15000',
        ...env,
      },
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('close', (code) => resolve({ code, out, err }))
    child.stdin.end(JSON.stringify(event))
  })
}

async function tracked(session: string): Promise<Tracked[]> {
  const { interactions } = await http.get<{ interactions: { interaction_id: string }[] }>(
    `/interactions?project=${PROJECT}&limit=100`,
  )
  const all = await Promise.all(
    interactions.map(({ interaction_id }) => http.get<Tracked>(`/interactions/${interaction_id}`)),
  )
  return all.filter(({ conversation_id }) => conversation_id?.startsWith(session))
}

const session = (id: string) => ({
  prompt: { ...events.prompt, session_id: id },
  stop: { ...events.stop, session_id: id, transcript_path: transcript('passing') },
  end: { ...events.end, session_id: id },
})

describe('hooks of Claude Code', () => {
  it('give a prompt its context, track the answer, and report what the tests said', async () => {
    const { prompt, stop, end } = session('first')
    const answer = await hook(prompt)
    expect(answer.code).toBe(0)
    const { hookSpecificOutput: output } = JSON.parse(answer.out)
    expect(output.hookEventName).toBe('UserPromptSubmit')
    expect(output.additionalContext).toContain('set it to 3 to get two repetitions')
    // The prompt itself is before the model already.
    expect(output.additionalContext).not.toContain(events.prompt.prompt)
    expect(output.additionalContext.length).toBeLessThanOrEqual(10_000)

    expect(await hook(stop)).toMatchObject({ code: 0, out: '' })
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
    await hook(end)
    expect(await readdir(state)).toEqual([])
  })

  it('wait for a transcript that is still being written', async () => {
    const { prompt, stop } = session('slow')
    const whole = await readFile(transcript('passing'), 'utf8')
    const lines = whole.split('\n')
    const path = join(state, 'transcript.jsonl')
    await writeFile(path, `${lines.slice(0, 5).join('\n')}\n`)
    await hook(prompt)
    const stopped = hook({ ...stop, transcript_path: path })
    await new Promise((resolve) => setTimeout(resolve, 600))
    await writeFile(path, whole)
    await stopped
    expect((await tracked('slow'))[0]).toMatchObject({ tokens_used: 3087, outcome: 'success' })
  })

  it('take a verdict from the next prompt, which outweighs the tests', async () => {
    const { prompt, stop } = session('judged')
    await hook(prompt)
    await hook(stop)
    await hook({ ...prompt, prompt_id: 'next', prompt: "That didn't work" })
    expect((await tracked('judged'))[0]).toMatchObject({ outcome: 'failure', user_feedback: -1 })
  })

  it('send nothing twice within a conversation, and again after a compaction', async () => {
    const { prompt } = session('twice')
    expect((await hook(prompt)).out).toContain('set it to 3')
    const again = await hook({ ...prompt, prompt_id: 'p2' })
    expect(again.out).not.toContain('set it to 3')
    await hook({ ...events.end, session_id: 'twice', hook_event_name: 'SessionStart', source: 'compact' })
    expect((await hook({ ...prompt, prompt_id: 'p3' })).out).toContain('set it to 3')
  })

  it('let a slash command, an unknown event and a broken event pass', async () => {
    for (const event of [{ ...events.prompt, prompt: '/compact' }, { hook_event_name: 'Notification' }, ['?']]) {
      expect(await hook(event)).toMatchObject({ code: 0, out: '' })
    }
  })

  it('keep a turn while the coordinator is away and deliver it once, later', async () => {
    const { prompt, stop } = session('away')
    const away = { HYBRID_URL: 'http://127.0.0.1:9' }
    expect(await hook(prompt, away)).toMatchObject({ code: 0, out: '' })
    expect(await hook(stop, away)).toMatchObject({ code: 0, out: '' })
    expect(await tracked('away')).toEqual([])
    expect((await readdir(state)).filter((name) => name.startsWith('undelivered-'))).toHaveLength(1)
    const later = session('later')
    await hook(later.prompt)
    await hook(later.stop)
    expect(await tracked('away')).toMatchObject([{ outcome: 'success' }])
    expect((await readdir(state)).filter((name) => name.startsWith('undelivered-'))).toEqual([])
  })

  it('wait no longer than their time for a coordinator that does not answer', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const answer = await hook(session('silent').prompt, { HYBRID_URL: url, HYBRID_TIMEOUT_MS: '200' })
    silent.closeAllConnections()
    silent.close()
    expect(answer).toMatchObject({ code: 0, out: '' })
    expect(answer.err).toContain('no context')
  })
})

describe('npm run connect', () => {
  it('writes the settings of a folder, and takes them out again', async () => {
    const env = { INIT_CWD: state, HYBRID_API_KEY: '' }
    expect(await connect(['claude-code', '--project', 'p'], env)).toBe(0)
    const path = join(state, '.claude/settings.local.json')
    const written = JSON.parse(await readFile(path, 'utf8'))
    expect(written.env).toEqual({ HYBRID_URL: 'http://127.0.0.1:8787', HYBRID_PROJECT: 'p' })
    expect(written.hooks.Stop[0].hooks[0].command).toContain('integrations/claude-code/hook.mjs')
    expect(await connect(['claude-code', '--remove'], env)).toBe(0)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({})
  })

  it('changes nothing in a file that it can not read, and says what to do about wrong words', async () => {
    await connect(['claude-code'], { INIT_CWD: state })
    const path = join(state, '.claude/settings.local.json')
    await writeFile(path, '{ broken')
    expect(await connect(['claude-code'], { INIT_CWD: state })).toBe(1)
    expect(await readFile(path, 'utf8')).toBe('{ broken')
    expect(await connect(['cursor'], { INIT_CWD: state })).toBe(2)
  })
})

/**
 * Runs the hooks as clients do: an event on standard input, settings in the environment or in a file. Importing this
 * gives each test a state folder of its own.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'

const HOOK = join(import.meta.dirname, '../../integrations/hooks/hook.mjs')
export const transcript = (name: string) => join(import.meta.dirname, `../fixtures/hooks/transcript-${name}.jsonl`)

export let state: string

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'hooks-'))
})
afterEach(() => rm(state, { recursive: true, force: true, maxRetries: 3 }))

/** The most recently started hook. */
export let running: ReturnType<typeof spawn> | undefined

interface Ended {
  code: number | null
  out: string
  err: string
}

export function hook(event: unknown, env: Record<string, string>, parameters: string[] = []): Promise<Ended> {
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

export const kept = async () => (await readdir(state)).filter((name) => name.startsWith('undelivered-'))
export const prompt = (session: string, text: string, more: object = {}) => ({
  hook_event_name: 'UserPromptSubmit',
  session_id: session,
  prompt: text,
  ...more,
})
export const stop = (session: string, answer: string, more: object = {}) => ({
  hook_event_name: 'Stop',
  session_id: session,
  transcript_path: '',
  last_assistant_message: answer,
  ...more,
})

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHttpClient, type HttpClient } from '../../cli/shared/http.ts'
import { type LocalWorker, startLocalWorker } from '../../cli/shared/local-worker.ts'
import events from '../fixtures/hooks/events.json' with { type: 'json' }
import { hook, state, transcript } from './hook-process.node.ts'

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

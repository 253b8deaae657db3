import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { coordinator, of, run } from './hook-coordinator.node.ts'
import { hook, prompt, state, stop } from './hook-process.node.ts'

/** What the hooks send for a turn, and what they leave out; the settings and the other clients. */

describe('hooks against a coordinator', () => {
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
    coordinator.answer = (path, body) =>
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
    await writeFile(
      file,
      JSON.stringify({ HYBRID_URL: coordinator.url, HYBRID_PROJECT: 'from-file', HYBRID_API_KEY: 'k' }),
    )
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

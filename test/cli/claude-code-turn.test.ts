import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withHooks, withoutHooks } from '../../cli/connect/claude-settings.ts'
import { judgeCommand, outcomeOfReply, readTurn } from '../../integrations/claude-code/turn.mjs'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/claude-code', name), 'utf8')
const passing = fixture('transcript-passing.jsonl')
const failing = fixture('transcript-failing.jsonl')

describe('a recorded turn', () => {
  it('gives answer, model, tokens, time and the end of the tests', () => {
    expect(readTurn(passing, '7effc122-089a-4216-8c60-31eb1a71c028')).toEqual({
      answer: 'The retry policy waits 100 ms and doubles; I changed `attempts` to 3 and the tests pass.',
      model: 'claude-opus-4-8',
      // Two messages: 1201 + 300 + 42 and 1202 + 300 + 42; 2,000 read from the cache in each are not counted.
      tokens: 3087,
      milliseconds: 978,
      checks: 'success',
    })
  })

  it('knows a failed test run', () => {
    expect(readTurn(failing, undefined).checks).toBe('failure')
  })

  it('is found by its prompt among several, and is the last one without', () => {
    const both = passing + failing
    expect(readTurn(both, '7effc122-089a-4216-8c60-31eb1a71c028').checks).toBe('success')
    expect(readTurn(both, undefined).checks).toBe('failure')
  })

  it('counts a message once though its blocks stand in several lines', () => {
    const lines = passing.split('\n')
    const doubled = lines.flatMap((line) => (line.includes('"type":"assistant"') ? [line, line] : [line])).join('\n')
    expect(readTurn(doubled, undefined).tokens).toBe(3087)
  })

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json())), (lines) => {
        expect(readTurn(lines.join('\n'), undefined)).toMatchObject({ tokens: expect.any(Number), checks: null })
      }),
    )
  })
})

describe('commands', () => {
  it.each([
    'npm test',
    'npm run test:unit',
    'cd packages/a && npx vitest run test/a.test.ts',
    'FORCE_COLOR=0 pytest -q tests',
    'cargo test --workspace',
    'go test ./...',
    'npx tsc --noEmit',
    './gradlew build',
    'uv run pytest',
  ])('%s is a check', (command) => {
    expect(judgeCommand(command)).toEqual({ check: true, exitCodeTells: true })
  })

  it.each(['npm test | tail -5', 'npm test; echo done', 'pytest || true', 'npm test 2>&1 | grep fail', 'npm test\nls'])(
    '%s hides its exit code',
    (command) => {
      expect(judgeCommand(command)).toEqual({ check: true, exitCodeTells: false })
    },
  )

  it.each([
    'ls',
    'git status',
    'grep -rn "npm test" .',
    'echo make',
    'cat vitest.config.ts',
    'npm install',
    'which pytest',
  ])('%s is none', (command) => {
    expect(judgeCommand(command).check).toBe(false)
  })
})

describe('what a person says next', () => {
  it.each(['That works, thanks!', 'perfect', 'Great. Now add a test', 'it worked', 'ok, that works'])(
    '%s: success',
    (text) => {
      expect(outcomeOfReply(text)).toBe('success')
    },
  )
  it.each([
    "That didn't work",
    'still fails with the same error',
    "No, that's wrong",
    'It does not work',
    "this doesn't help",
  ])('%s: failure', (text) => {
    expect(outcomeOfReply(text)).toBe('failure')
  })
  it.each([
    'How do I add a test?',
    'Great, but the second test still fails',
    'Perfect is the enemy of good: should this be refactored however we like it?',
    'Thanks to the cache, it works in production; why is staging slow when nothing about it was ever changed by anyone here?',
    '',
    'works on what exactly?',
    'no',
  ])('%s: nothing', (text) => {
    expect(outcomeOfReply(text)).toBeNull()
  })
})

describe('settings of Claude Code', () => {
  const program = '/opt/hybrid-coordinator/integrations/claude-code/hook.mjs'
  const own = {
    model: 'opus',
    env: { OTHER: '1' },
    hooks: { Stop: [{ hooks: [{ type: 'command', command: 'say done' }] }] },
  }

  it('gain the hooks and keep everything else', () => {
    const settings = withHooks(own, program, { HYBRID_URL: 'http://127.0.0.1:8787' })
    expect(settings.model).toBe('opus')
    expect(settings.env).toEqual({ OTHER: '1', HYBRID_URL: 'http://127.0.0.1:8787' })
    expect(settings.hooks?.Stop?.map(({ hooks }) => hooks?.[0]?.command)).toEqual(['say done', `node "${program}"`])
    expect(Object.keys(settings.hooks ?? {}).sort()).toEqual(['SessionEnd', 'SessionStart', 'Stop', 'UserPromptSubmit'])
  })

  it('are the same after a second time, and as before when taken out', () => {
    const once = withHooks(own, program, { HYBRID_URL: 'http://a' })
    expect(withHooks(once, program, { HYBRID_URL: 'http://a' })).toEqual(once)
    expect(withoutHooks(once, program)).toEqual(own)
    expect(withoutHooks(withHooks({}, program, { HYBRID_URL: 'http://a' }), program)).toEqual({})
  })
})

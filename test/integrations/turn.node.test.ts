import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeCommand } from '../../integrations/hooks/checks.mjs'
import { readTurn } from '../../integrations/hooks/turn.mjs'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/hooks', name), 'utf8')
const passing = fixture('transcript-passing.jsonl')
const failing = fixture('transcript-failing.jsonl')

describe('a recorded turn', () => {
  it('contains answer, model, tokens, time and the result of the tests', () => {
    expect(readTurn(passing, '7effc122-089a-4216-8c60-31eb1a71c028')).toEqual({
      answer: 'The retry policy waits 100 ms and doubles; I changed `attempts` to 3 and the tests pass.',
      model: 'claude-opus-4-8',
      // Two messages: 1201 + 300 + 42 and 1202 + 300 + 42; 2,000 read from the cache in each are not counted.
      tokens: 3087,
      milliseconds: 978,
      checks: 'success',
      superseded: false,
    })
  })

  it('detects a failed test run', () => {
    expect(readTurn(failing, undefined).checks).toBe('failure')
  })

  it('is found by its prompt among several, and is the last one without a prompt', () => {
    const both = passing + failing
    expect(readTurn(both, '7effc122-089a-4216-8c60-31eb1a71c028')).toMatchObject({
      checks: 'success',
      superseded: true,
    })
    expect(readTurn(both, undefined)).toMatchObject({ checks: 'failure', superseded: false })
  })

  it('counts a message once even if its blocks are in several lines', () => {
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

/** A turn with commands and their results. */
function transcript(...runs: { command: string; content: string; error?: boolean; details?: unknown }[]): string {
  const entries: object[] = [{ type: 'user', promptId: 'p', message: { role: 'user', content: 'fix it' } }]
  for (const [index, { command, content, error = false, details }] of runs.entries()) {
    const id = `tool-${index}`
    entries.push({
      type: 'assistant',
      message: { id: `m${index}`, model: 'm', content: [{ type: 'tool_use', id, name: 'Bash', input: { command } }] },
    })
    entries.push({
      type: 'user',
      message: { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, is_error: error, content }] },
      toolUseResult: details,
    })
  }
  return entries.map((entry) => JSON.stringify(entry)).join('\n')
}
const passed = { command: 'npm test', content: '12 passing', details: { stdout: '12 passing', interrupted: false } }
const failed = { command: 'npm test', content: 'Exit code 1\n1 failing', error: true, details: 'Error: Exit code 1' }

describe('checks of a turn', () => {
  it('use the last one that ran and ended', () => {
    expect(readTurn(transcript(failed, passed), 'p').checks).toBe('success')
    expect(readTurn(transcript(passed, failed), 'p').checks).toBe('failure')
  })

  const rejection = "The user doesn't want to proceed with this tool use. The tool use was rejected"
  it.each([
    ['rejected by the person', { content: rejection, error: true, details: 'User rejected tool use' }],
    ['denied by a rule', { content: 'Permission to use Bash with command npm test has been denied.', error: true }],
    ['blocked by a hook', { content: 'PreToolUse:Bash hook error: not now', error: true }],
    ['interrupted', { content: 'Exit code 1', error: true, details: { stdout: '', interrupted: true } }],
    ['timed out', { content: 'Command timed out after 2m 0.0s', error: true }],
    ['ended by timeout', { content: 'Exit code 124', error: true }],
    ['not found', { content: 'Exit code 127\nnpm: command not found', error: true }],
    ['killed', { content: 'Exit code 137', error: true }],
    ['moved to the background', { content: 'Command running in background with ID: b1' }],
    ['in the background', { content: '', details: { backgroundTaskId: 'b1', interrupted: false } }],
  ])('that were %s are ignored', (_, result) => {
    expect(readTurn(transcript({ command: 'npm test', ...result }), 'p').checks).toBeNull()
    expect(readTurn(transcript(failed, { command: 'npm test', ...result }), 'p').checks).toBeNull()
  })

  it('whose command hides the exit code invalidate an earlier result', () => {
    const hidden = { command: 'npm test | tail', content: 'ok' }
    expect(readTurn(transcript(failed, hidden), 'p').checks).toBeNull()
    expect(
      readTurn(transcript(passed, { command: 'npm test && git push', content: 'Exit code 1', error: true }), 'p')
        .checks,
    ).toBeNull()
    expect(
      readTurn(transcript(passed, { command: 'ls missing', content: 'Exit code 2', error: true }), 'p').checks,
    ).toBe('success')
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
    'timeout 60 npm test',
    '(npm test)',
    'docker compose run app pytest',
    'docker compose run --rm -e CI=1 app sh -c "pytest -q"',
    'make',
    'make -j4 test',
    'npm test > log.txt 2>&1',
    'npm test && npm run lint',
    'pnpm --filter web test',
    'python3 -m pytest tests',
    'cd a; npm test',
  ])('%s is a check', (command) => {
    expect(judgeCommand(command)).toEqual({ check: true, passTells: true, failTells: true })
  })

  it.each([
    'npm test | tail -5',
    'npm test; echo done',
    'pytest || true',
    'npm test 2>&1 | grep fail',
    'npm test\nls',
    'npm test &',
    'true || npm test',
    '! npm test',
    'for i in 1 2 3; do npm test; done',
    'echo "$(npm test)"',
  ])('%s hides its exit code', (command) => {
    expect(judgeCommand(command)).toEqual({ check: true, passTells: false, failTells: false })
  })

  it.each(['npm test && git push', 'npm install && npm test', 'cd app && npm ci && npm run build'])(
    '%s reveals success, but not what failed',
    (command) => {
      expect(judgeCommand(command)).toEqual({ check: true, passTells: true, failTells: false })
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
    'make clean',
    'make install',
    'npm run dev',
    'npm run test:watch',
    'npm run lint:fix',
    'pytest --collect-only',
    'tsc -w',
    'make -n test',
    'git commit -m "npm test"',
    'npm test --help',
  ])('%s is not a check', (command) => {
    expect(judgeCommand(command).check).toBe(false)
  })

  it('are judged without errors, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('npm test', "'", '"', '&&', '|', ';', '(', ')', '\\', '\n', '>', '&', '$(', '`', ' ')),
        (parts) => {
          const { check, passTells, failTells } = judgeCommand(parts.join(' '))
          expect(check || !(passTells || failTells)).toBe(true)
        },
      ),
    )
  })
})

import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { run as ask } from '../../cli/ask.ts'
import { run as doctor } from '../../cli/doctor.ts'
import { questionsAbout } from '../../cli/setup/questions.ts'
import { projectName, run as setup } from '../../cli/setup.ts'

const ROOT = join(import.meta.dirname, '../..')

let said = ''
beforeEach(() => {
  said = ''
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('setup', () => {
  it('leads from nothing to a connected agent and an answered question, and doctor and ask agree', async () => {
    const home = await mkdtemp(join(tmpdir(), 'setup-'))
    const folder = join(home, 'my-project')
    const state = join(home, 'state')
    await cp(join(ROOT, 'src/text'), folder, { recursive: true })
    await mkdir(join(home, '.codex'))
    const port = String(await freePort())
    const env = {
      ...process.env,
      HOME: home,
      PATH: '/usr/bin:/bin',
      INIT_CWD: home,
      HYBRID_URL: '',
      XDG_CONFIG_HOME: '',
      XDG_CACHE_HOME: '',
      XDG_STATE_HOME: '',
    }
    const command = (...parameters: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'cli/main.mjs'), ...parameters], {
        encoding: 'utf8',
        env,
      })
      return { code: status, text: stdout + stderr }
    }
    const url = `http://127.0.0.1:${port}`
    try {
      const { code, text } = command('setup', 'my-project', '--port', port, '--state', state, '--yes')
      expect(code, text).toBe(0)
      expect(text).toContain('into project my-project')
      expect(text).toMatch(/✓ \d+ passages?, \d+ tokens:\n\n\[1\] \S+:\d+/)
      expect(text).toContain('✓ Codex. Start Codex, open /hooks and trust')
      const hooks = JSON.parse(await readFile(join(folder, '.codex/hooks.json'), 'utf8'))
      expect(Object.keys(hooks.hooks)).toContain('UserPromptSubmit')

      const again = command('setup', 'my-project', '--port', port, '--state', state, '--agents', 'none', '--yes')
      expect(again.code, again.text).toBe(0)
      const answered = command('ask', 'how are tokens counted?', '--project', 'my-project', '--url', url)
      expect(answered.text).toContain('token-counter.ts')
      const examined = command('doctor', '--project', 'my-project', '--url', url, '--state', state)
      expect(examined.text).toContain(`✓ ${url} answers.`)
      expect(examined.text).toMatch(/✓ Search answers “.+” in \d+ ms/)
      expect(examined.text).toContain('✓ Hooks of codex')
    } finally {
      command('dev', 'stop', '--state', state)
    }
    // The agent's hooks now have no coordinator, and doctor reports that.
    const examined = command('doctor', '--project', 'my-project', '--url', url, '--state', state)
    expect(examined.code).toBe(1)
    expect(examined.text).toContain('ECONNREFUSED')
    expect(examined.text).toContain('✗ Hooks of codex')
    await rm(home, { recursive: true, force: true, maxRetries: 3 })
  })

  it('explains invalid arguments before anything starts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'setup-'))
    for (const [parameters, message] of [
      [[], 'Give the folder of your code'],
      [['nope'], 'nope is not a folder'],
      [['a', 'b'], 'Give one folder'],
      [[folder, '--agents', 'emacs'], 'There is no agent "emacs"'],
      [[folder, '--port', 'x'], '--port must be a number'],
    ] as const) {
      said = ''
      expect(await setup([...parameters], { INIT_CWD: folder })).toBe(2)
      expect(said).toContain(message)
    }
    expect(await readdir(folder)).toEqual([])
    await rm(folder, { recursive: true })
  })

  it('derives a project name from any folder name', () => {
    expect(projectName('/home/me/code/my.project_2')).toBe('my.project_2')
    expect(projectName('/home/me/Über uns (alt)')).toBe('U-ber-uns-alt')
    expect(projectName('/')).toBe('default')
    expect(projectName('/x/日本語')).toBe('default')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (name) => {
        expect(projectName(`/x/${name}`)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
      }),
    )
  })

  it('asks about documented definitions, and about tests last', () => {
    expect(
      questionsAbout([
        {
          path: 'test/a.test.ts',
          fields: { symbols: ['testRetryPolicy'], purpose: 'Checks that the retry policy ends.' },
        },
        { path: 'src/a.ts', fields: { symbols: ['x'] } },
        {
          path: 'src/b.ts',
          fields: { symbols: ['retryPolicy', 'other'], purpose: 'Waits longer after each failure. And more.' },
        },
        { path: 'src/c.ts', fields: {} },
      ]),
    ).toEqual([
      'What does retryPolicy do? Waits longer after each failure.',
      'What does testRetryPolicy do? Checks that the retry policy ends.',
    ])
    expect(questionsAbout([])).toEqual([])
  })
})

describe('ask and doctor', () => {
  let server: Server
  let env: NodeJS.ProcessEnv
  let home: string
  let answers: Record<string, unknown>
  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0] ?? ''
      const body = answers[path] ?? { status: 404, detail: 'nothing here' }
      const status = (body as { status?: unknown }).status
      response.statusCode = typeof status === 'number' ? status : 200
      response.end(JSON.stringify(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => server.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'doctor-'))
    env = {
      HOME: home,
      PATH: process.env.PATH,
      INIT_CWD: home,
      HYBRID_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    }
    answers = {
      '/health': { status: 'ok' },
      '/collections': { collections: [{ items: 3 }] },
      '/track_interaction': { status: 400, code: 'invalid_input', detail: 'query is missing.' },
      '/update_outcome': { status: 400, code: 'invalid_input', detail: 'outcome is missing.' },
      '/knowledge/items/codebase-context': { items: [] },
      '/hybrid_search': { combined_results: [{}], degraded: [] },
      '/ready': {
        dependencies: [{ name: 'database', uses: 'd1', required: true, state: 'ok', error: null }],
        queue: { pending: 0, dead: 0, oldest_ms: null },
      },
      '/mcp': { result: { serverInfo: {} } },
    }
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  it('reports that everything works', async () => {
    expect(await doctor(['--state', 'none'], env), said).toBe(0)
    expect(said).toContain('Everything works.')
  })

  it.each<[string, string, unknown, number, string, string]>([
    ['an empty project', '/collections', { collections: [{ items: 0 }] }, 1, 'holds nothing', 'npm run ingest'],
    [
      'a key without a scope',
      '/update_outcome',
      { status: 403, code: 'forbidden', detail: 'no' },
      1,
      'lacks the scope "learn"',
      'npm run keys',
    ],
    ['no key', '/collections', { status: 401, code: 'unauthorized' }, 1, 'needs an API key', 'npm run keys'],
    ['somebody else', '/health', { hello: 'world' }, 1, 'is not a Hybrid Coordinator', '--url'],
    [
      'a model that is down',
      '/ready',
      {
        dependencies: [
          { name: 'local_model', uses: 'llama.cpp', required: false, state: 'down', error: 'ECONNREFUSED' },
        ],
        queue: { pending: 0, dead: 0, oldest_ms: null },
      },
      1,
      'local_model (llama.cpp): down, ECONNREFUSED',
      'engines.md',
    ],
    [
      'a coordinator that is down as a whole',
      '/ready',
      {
        status: 503,
        dependencies: [{ name: 'database', uses: 'd1', required: true, state: 'down', error: 'no' }],
        queue: null,
      },
      1,
      'database (d1): down',
      'log',
    ],
    [
      'failed jobs',
      '/ready',
      { dependencies: [], queue: { pending: 0, dead: 2, oldest_ms: null } },
      0,
      '2 background jobs failed for good',
      'retry',
    ],
    [
      'stuck jobs',
      '/ready',
      { dependencies: [], queue: { pending: 9, dead: 0, oldest_ms: 3_600_000 } },
      0,
      'the oldest for 60 minutes',
      'paused',
    ],
    [
      'a search that finds nothing',
      '/hybrid_search',
      { combined_results: [], degraded: ['vectors'] },
      0,
      'Search does not cover: vectors',
      'dependencies',
    ],
    ['no MCP', '/mcp', { status: 404 }, 1, 'is not an MCP endpoint', 'upgrade'],
  ])('reports %s and its fix', async (_, path, answer, code, text, fix) => {
    answers[path] = answer
    expect(await doctor(['--state', 'none'], env)).toBe(code)
    expect(said).toContain(text)
    expect(said.slice(said.indexOf(text))).toContain(fix)
  })

  it('shows passages without their delimiters, or the reason why there are none', async () => {
    answers['/augment_query'] = {
      original_query: 'q',
      augmented_prompt: 'q\n\n---\n\nUse what helps.\n\n<context-0a1z>\n[1] a.ts:1\nconst a = 1\n</context-0a1z>',
      context_ids: ['codebase-context/1'],
      token_count: 20,
    }
    expect(await ask(['q'], env)).toBe(0)
    expect(said).toBe('✓ 1 passage, 20 tokens:\n\n[1] a.ts:1\nconst a = 1\n')
    said = ''
    answers['/augment_query'] = {
      original_query: 'q',
      augmented_prompt: 'q',
      context_ids: [],
      answer_probability: 0.42,
      relevance_threshold: 0.65,
      absence_reason: 'nothing_relevant',
    }
    expect(await ask(['q'], env)).toBe(0)
    expect(said).toContain('42 %; 65 % is needed')
    said = ''
    expect(await ask([], env)).toBe(2)
    answers['/augment_query'] = { status: 401, code: 'unauthorized' }
    expect(await ask(['q'], env)).toBe(1)
    expect(said).toContain('needs an API key')
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createNetServer()
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/**
 * Ways to keep knowledge up to date: `--watch`, `--quiet` in a git hook, `sources`, and knowledge exported as files.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { run as ingest } from '../../cli/ingest.ts'
import { run as knowledge } from '../../cli/knowledge.ts'
import { run as sources } from '../../cli/sources.ts'
import { type FakeCoordinator, startFake } from './fake-coordinator.ts'
import { git, makeFolder, makeRepository, writeFiles } from './folders.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')

let fake: FakeCoordinator
beforeEach(async () => {
  fake = await startFake()
  process.env.XDG_STATE_HOME = makeFolder({})
})
afterEach(async () => {
  delete process.env.XDG_STATE_HOME
  vi.restoreAllMocks()
  await fake.close()
})

async function call(command: (argv: string[]) => Promise<number>, ...argv: string[]) {
  const printed = { out: '', err: '' }
  for (const [stream, name] of [
    [process.stdout, 'out'],
    [process.stderr, 'err'],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed[name] += String(text)
      return true
    })
  const code = await command([...argv, ...(argv.includes('--url') ? [] : ['--url', fake.url])])
  vi.restoreAllMocks()
  return { code, ...printed }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}

const textOf = (path: string): string =>
  [...(fake.documents.get(path)?.items.values() ?? [])].map(({ fields }) => fields.code_snippet).join('\n')

describe('--watch', () => {
  let child: ChildProcess | undefined
  afterEach(() => {
    child?.kill('SIGKILL')
  })

  it('ingests, and again after files are saved, added, moved and deleted; ends when stopped', async () => {
    const folder = makeRepository({ 'a.ts': 'export const first = 1\n', 'b.ts': 'export const b = 1\n' })
    writeFiles(folder, { '.gitignore': 'dist/\n', 'dist/out.js': 'out()\n' })
    child = spawn(process.execPath, [MAIN, 'ingest', folder, '--watch', '--url', fake.url], { stdio: 'pipe' })
    let out = ''
    child.stdout?.on('data', (text: Buffer) => {
      out += text.toString()
    })
    await until(() => out.includes('Watching'))
    expect(textOf('a.ts')).toContain('first')
    writeFiles(folder, { 'a.ts': 'export const second = 2\n' })
    await until(() => textOf('a.ts').includes('second'))
    writeFiles(folder, { 'sub/deep/c.ts': 'export const c = 1\n' })
    await until(() => fake.documents.has('sub/deep/c.ts'))
    rmSync(join(folder, 'b.ts'))
    await until(() => !fake.documents.has('b.ts'))
    // No change is missed while the coordinator is unavailable.
    fake.intercept = () => ({ status: 400, code: 'away', detail: 'away' })
    writeFiles(folder, { 'a.ts': 'export const third = 3\n' })
    await until(() => out.includes('away'))
    fake.intercept = () => undefined
    writeFiles(folder, { 'd.ts': 'export const d = 1\n' })
    await until(() => textOf('a.ts').includes('third') && fake.documents.has('d.ts'))
    expect([...fake.documents.keys()].sort()).toEqual(['.gitignore', 'a.ts', 'd.ts', 'sub/deep/c.ts'])
    const ended = new Promise((resolve) => child?.on('exit', resolve))
    child.kill('SIGINT')
    expect(await ended).toBe(0)
  })
})

describe('--quiet', () => {
  it('prints nothing unless something failed', async () => {
    const folder = makeFolder({ 'a.ts': 'export const a = 1\n', 'b.ts': '' })
    expect(await call(ingest, folder, '--quiet')).toEqual({ code: 0, out: '', err: '' })
    expect(fake.documents.size).toBe(1)
    const failed = await call(ingest, folder, '--quiet', '--url', 'http://127.0.0.1:9')
    expect(failed).toMatchObject({ code: 1, out: '', err: expect.stringContaining('does not answer') })
  })

  it('runs in the git hook of the guide, after a commit, a checkout and a merge', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/ingest.md'), 'utf8')
    const script = /```sh\n(#!\/bin\/sh\n[\s\S]*?)```/.exec(guide)?.[1] ?? ''
    expect(script).toContain('--quiet')
    const folder = makeRepository({ 'a.ts': 'export const a = 1\n' })
    const hook = script
      .replace('~/hybrid-coordinator', join(import.meta.dirname, '../..'))
      .replace('--quiet', `--quiet --source s --url ${fake.url}`)
    for (const name of ['post-commit', 'post-checkout', 'post-merge']) {
      writeFiles(folder, { [`.git/hooks/${name}`]: hook })
      chmodSync(join(folder, '.git/hooks', name), 0o755)
    }
    writeFiles(folder, { 'b.ts': 'export const b = 1\n' })
    git(folder, 'add', '-A')
    git(folder, 'commit', '-qm', 'second')
    await until(() => fake.documents.has('b.ts'))
    git(folder, 'checkout', '-qb', 'topic')
    git(folder, 'rm', '-q', 'a.ts')
    git(folder, 'commit', '-qm', 'third')
    await until(() => !fake.documents.has('a.ts'))
    git(folder, 'checkout', '-q', 'main')
    await until(() => fake.documents.has('a.ts'))
  })
})

describe('sources refresh', () => {
  it('ingests again with the earlier options', async () => {
    const folder = makeFolder({
      'a.ts': 'export const a = 1\n',
      'drafts/b.ts': 'export const b = 1\n',
      'big.txt': 'x'.repeat(3_000),
    })
    await call(ingest, folder, '--source', 'app', '--exclude', 'drafts/', '--max-file-size', '2000')
    expect([...fake.documents.keys()]).toEqual(['a.ts'])
    writeFiles(folder, {
      'a.ts': 'export const second = 2\n',
      'drafts/c.ts': 'export const c = 1\n',
      'd.ts': 'export const d = 1\n',
    })
    expect((await call(sources, '--json')).out).toContain('"drift":{"changed":2,"gone":0}')
    // Of another project, and of an unrelated folder.
    expect(await call(sources, 'refresh', '--quiet', '--project', 'other')).toMatchObject({ code: 0, out: '' })
    expect(await call(sources, 'refresh', '--quiet', '--dir', makeFolder({}))).toMatchObject({ code: 0, out: '' })
    expect(fake.documents.has('d.ts')).toBe(false)
    expect(await call(sources, 'refresh', '--quiet', '--dir', join(folder, 'drafts'))).toEqual({
      code: 0,
      out: '',
      err: '',
    })
    expect([...fake.documents.keys()].sort()).toEqual(['a.ts', 'd.ts'])
    expect(textOf('a.ts')).toContain('second')
    expect((await call(sources, 'refresh', 'nope')).code).toBe(2)
    // The folder is still recorded with its options.
    expect((await call(sources, 'refresh', 'app')).out).toContain('2 unchanged')
  })

  it('is a single run if it is requested twice at the same time, and misses nothing', async () => {
    const folder = makeFolder({ 'a.ts': 'export const a = 1\n' })
    await call(ingest, folder, '--source', 'app')
    writeFiles(folder, { 'a.ts': 'export const second = 2\n' })
    let held: (() => void) | undefined
    const waiting = new Promise<void>((resolve) => {
      held = resolve
    })
    fake.intercept = async (_, { documents }) => {
      if (documents) await waiting
      return undefined
    }
    const argv = [MAIN, 'sources', 'refresh', '--quiet', '--url', fake.url]
    const first = spawn(process.execPath, argv, { stdio: 'ignore' })
    const ended = new Promise((resolve) => first.on('exit', resolve))
    await until(() => fake.requests.filter((one) => one === 'POST /knowledge/documents').length > 1)
    writeFiles(folder, { 'a.ts': 'export const third = 3\n' })
    expect((await call(sources, 'refresh')).out).toContain('is already being refreshed')
    held?.()
    expect(await ended).toBe(0)
    expect(textOf('a.ts')).toContain('third')
  })

  it('is started by the hooks of an agent at session start and after each turn', async () => {
    const folder = makeRepository({ 'a.ts': 'export const a = 1\n' })
    await call(ingest, folder, '--source', 'app')
    const hook = join(import.meta.dirname, '../../integrations/hooks/hook.mjs')
    const event = (name: string, more: object) => {
      const child = spawn(process.execPath, [hook], {
        stdio: ['pipe', 'ignore', 'ignore'],
        env: { ...process.env, HYBRID_URL: fake.url, HYBRID_STATE_FOLDER: makeFolder({}), ...more },
      })
      child.stdin.end(JSON.stringify({ hook_event_name: name, session_id: 's', cwd: join(folder, '.git') }))
      return new Promise((resolve) => child.on('exit', resolve))
    }
    writeFiles(folder, { 'b.ts': 'export const b = 1\n' })
    expect(await event('SessionStart', { HYBRID_REFRESH: 'off' })).toBe(0)
    expect(await event('SessionStart', {})).toBe(0)
    await until(() => fake.documents.has('b.ts'))
    writeFiles(folder, { 'c.ts': 'export const c = 1\n' })
    expect(await event('Stop', {})).toBe(0)
    await until(() => fake.documents.has('c.ts'))
  })
})

describe('sources', () => {
  it('lists age, files and differences, and removes one', async () => {
    const folder = makeFolder({ 'a.ts': 'export const a = 1\n', 'b.ts': 'export const b = 1\n', 'c.png': '\0' })
    await call(ingest, folder, '--source', 'app')
    const listed = async () => JSON.parse((await call(sources, '--json')).out).sources
    expect(await listed()).toEqual([
      {
        source: 'app',
        collection: 'codebase-context',
        documents: 2,
        written_at: expect.any(Number),
        folder: expect.any(String),
        drift: { changed: 0, gone: 0 },
      },
    ])
    writeFiles(folder, { 'a.ts': 'export const a = 2\n', 'new.ts': 'export const n = 1\n' })
    rmSync(join(folder, 'b.ts'))
    fake.requests.length = 0
    expect((await listed())[0].drift).toEqual({ changed: 2, gone: 1 })
    expect(fake.requests.filter((request) => request.startsWith('POST'))).toEqual([])
    expect((await call(sources)).out).toMatch(/app.*2 files.*old.*2 changed, 1 gone/)
    expect(await call(sources, 'remove', 'nothing')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no source'),
    })
    expect(await call(sources, 'remove', 'app')).toMatchObject({ code: 0, out: expect.stringContaining('2 files') })
    expect(fake.documents.size).toBe(0)
    expect((await call(sources)).out).toContain('Nothing has been ingested')
  })
})

describe('knowledge export', () => {
  it('writes learnt items as files that can be imported as the same items', async () => {
    const item = {
      key: 'k1',
      fields: { title: 'Index foreign keys', description: 'A join scans.', examples: ['a', 'b\nc'] },
    }
    fake.items.set('k1', item)
    fake.items.set('k2', { key: 'k2', fields: { title: 'Index: foreign keys!', description: 'Another.' } })
    const folder = makeRepository({ 'a.ts': 'export const a = 1\n' })
    const first = await call(knowledge, 'export', folder, '--collection', 'best-practices')
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringContaining('new      .hybrid/best-practices/index-foreign-keys.md'),
    })
    const file = join(folder, '.hybrid/best-practices/index-foreign-keys.md')
    expect(readFileSync(file, 'utf8')).toBe(
      '---\nkey: k1\nprovenance: human\n---\n\n# Index foreign keys\n\nA join scans.\n\n## Examples\n\n- a\n- b\n  c\n',
    )
    expect(existsSync(join(folder, '.hybrid/best-practices/index-foreign-keys-2.md'))).toBe(true)
    // Imported again: the same items, without duplicates.
    await call(ingest, folder, '--source', 's', '--quiet')
    expect([...fake.items.keys()]).toEqual(['k1', 'k2'])
    expect(fake.items.get('k1')?.fields).toEqual(item.fields)
    expect((await call(knowledge, 'export', folder, '--collection', 'best-practices')).out).toContain(
      'Nothing to propose',
    )
    // A correction changes the file.
    fake.items.set('k1', { key: 'k1', fields: { ...item.fields, description: 'A join without an index scans.' } })
    const again = await call(knowledge, 'export', folder, '--collection', 'best-practices')
    expect(again.out).toContain('changed  .hybrid/best-practices/index-foreign-keys.md')
    expect(git(folder, 'status', '--short')).toContain('.hybrid/')
    expect(readFileSync(file, 'utf8')).toContain('A join without an index scans.')
  })

  it('reports errors', async () => {
    expect((await call(knowledge, 'import')).code).toBe(2)
    expect((await call(knowledge, 'export', '/no/such/folder')).code).toBe(2)
    expect((await call(knowledge, 'export', '.', '--collection', 'codebase-context')).err).toContain(
      '--collection must be',
    )
    expect((await call(knowledge, 'export', makeFolder({}), '--url', 'http://127.0.0.1:9')).code).toBe(1)
  })
})

describe('an exported chat', () => {
  it('is imported as interactions', async () => {
    const chat = [
      {
        chat_messages: [
          { uuid: 'a', sender: 'human', text: 'How?' },
          { uuid: 'b', sender: 'assistant', text: 'So.' },
        ],
      },
    ]
    const folder = makeFolder({ 'conversations.json': JSON.stringify(chat), 'other.json': '{}' })
    const bodies: Record<string, unknown>[] = []
    fake.intercept = (path, body) => {
      if (path === '/interactions/import') bodies.push(body)
      return undefined
    }
    const { code, out } = await call(ingest, join(folder, 'conversations.json'), '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      kind: 'chats',
      collection: 'interaction-history',
      chunks: { total: 1, added: 1 },
    })
    expect(bodies).toMatchObject([{ project: 'default', interactions: [{ query: 'How?', response: 'So.' }] }])
    expect(await call(ingest, join(folder, 'other.json'))).toMatchObject({
      code: 2,
      err: expect.stringContaining('exported chat'),
    })
  })
})

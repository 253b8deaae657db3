import { spawn } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatReport, type Report } from '../../cli/ingest/report.ts'
import { run } from '../../cli/ingest.ts'
import { encode } from './encode.ts'
import { type FakeCoordinator, startFake } from './fake-coordinator.ts'
import { git, makeFolder, makeRepository, writeFiles } from './folders.ts'
import { GUIDE, SAMPLES } from './samples.ts'

let fake: FakeCoordinator
beforeEach(async () => {
  fake = await startFake()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await fake.close()
})

const repository = (): Record<string, string> => ({
  ...Object.fromEntries(SAMPLES.map(({ path, text }) => [path, text])),
  'README.md': GUIDE,
  'package.json': '{"name":"sample","dependencies":{"hono":"4"}}',
})

async function ingest(...argv: string[]): Promise<{ code: number; report: Report; err: string }> {
  let out = ''
  let err = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
  const code = await run([...argv, ...(argv.includes('--url') ? [] : ['--url', fake.url]), '--json'])
  vi.restoreAllMocks()
  return { code, report: out ? (JSON.parse(out) as Report) : ({} as Report), err }
}

const storedChunks = (): number => [...fake.documents.values()].reduce((sum, one) => sum + one.items.size, 0)
/** Requests that change stored data. A claim of texts to embed changes nothing. */
const writes = (): string[] =>
  fake.requests.filter((request) => request.startsWith('POST') && !request.endsWith('/vectors/pending'))

describe('a folder', () => {
  it('is stored with its fields; a second run writes nothing', async () => {
    const folder = makeFolder(repository())
    const first = await ingest(folder)
    expect(first.code).toBe(0)
    expect(first.report.files).toMatchObject({ found: 8, indexed: 8, unchanged: 0, removed: 0, rejected: 0 })
    expect(first.report.chunks.added).toBe(storedChunks())
    expect(first.report.source).toBe('sample')
    const item = fake.documents.get('src/store.ts')?.items.get('Store/put')
    expect(item?.fields).toMatchObject({
      file_path: 'src/store.ts',
      language: 'typescript',
      framework: 'hono',
      purpose: 'Writes a value.',
      symbols: expect.arrayContaining(['Store.put']),
      start_line: expect.any(Number),
      end_line: expect.any(Number),
      kind: 'source',
    })
    expect(String(item?.fields.code_snippet)).toMatch(/^export class Store<T> extends Base\n/)

    fake.requests.length = 0
    const second = await ingest(folder)
    expect(second.report.files).toMatchObject({ indexed: 0, unchanged: 8, removed: 0 })
    expect(second.report.chunks).toEqual({ total: 0, added: 0, updated: 0, unchanged: 0, removed: 0 })
    expect(writes()).toEqual([])
  })

  it('an edit sends one file and updates few chunks; a deleted file is removed', async () => {
    const folder = makeFolder(repository())
    await ingest(folder)
    writeFiles(folder, { 'src/store.ts': (SAMPLES[0]?.text ?? '').replace('value 7', 'another value') })
    rmSync(join(folder, 'lib/legacy.js'))
    const gone = fake.documents.get('lib/legacy.js')?.items.size
    const { code, report } = await ingest(folder)
    expect(code).toBe(0)
    expect(report.files).toMatchObject({ indexed: 1, unchanged: 6, removed: 1 })
    expect(report.chunks).toMatchObject({ added: 0, updated: 1, removed: gone })
    expect(fake.documents.has('lib/legacy.js')).toBe(false)
  })

  it('removes a file that became ignored, and nothing when filtered or in a dry run', async () => {
    const folder = makeFolder({ ...repository(), '.git/HEAD': '' })
    await ingest(folder)
    writeFiles(folder, { '.gitignore': 'lib/\n' })
    expect((await ingest(folder, '--include', '*.md')).report.files.removed).toBe(0)
    const dry = await ingest(folder, '--dry-run')
    expect(dry.report.files).toMatchObject({ indexed: 1, unchanged: 7, removed: 1 })
    expect(fake.documents.has('lib/legacy.js')).toBe(true)
    await ingest(folder)
    expect(fake.documents.has('lib/legacy.js')).toBe(false)
  })

  it('stays within the limits of a request, with a few requests at a time', async () => {
    const text = SAMPLES[0]?.text ?? ''
    const folder = makeFolder(
      Object.fromEntries(
        Array.from({ length: 260 }, (_, i) => [`f${i}.ts`, i % 40 === 0 ? text : `export const v${i} = ${i}\n`]),
      ),
    )
    fake.delay = 20
    const { code, report } = await ingest(folder)
    expect(code).toBe(0)
    expect(report.files.indexed).toBe(260)
    expect(fake.documents.size).toBe(260)
    // Five requests for texts, and two for listing and sending vectors.
    expect(fake.peak()).toBeLessThanOrEqual(7)
  })

  it('stores a file with very many chunks as several documents, and keeps them together', async () => {
    const text = (count: number): string =>
      Array.from(
        { length: count },
        (_, i) => `export function f${i}(): number {\n${`  work(${i})\n`.repeat(75)}}\n\n`,
      ).join('')
    const folder = makeFolder({ 'many.ts': text(450), 'one.ts': 'export const a = 1\n' })
    const { code, report } = await ingest(folder)
    expect(code).toBe(0)
    expect(report.files).toMatchObject({ found: 2, indexed: 2 })
    expect([...fake.documents.keys()].sort()).toEqual(['many.ts', 'many.ts#part-2', 'one.ts'])
    const items = [...fake.documents.values()].flatMap((one) => [...one.items.values()])
    expect(items.length).toBe(report.chunks.total)
    expect(items.filter(({ fields }) => fields.file_path === 'many.ts').length).toBeGreaterThan(449)
    for (const one of fake.documents.values()) expect(one.items.size).toBeLessThanOrEqual(400)
    expect((await ingest(folder)).report.files).toMatchObject({ unchanged: 2, indexed: 0, removed: 0 })
    // A lost part is sent again.
    fake.documents.delete('many.ts#part-2')
    expect((await ingest(folder)).report.files).toMatchObject({ unchanged: 1, indexed: 1 })
    expect(fake.documents.size).toBe(3)
    writeFiles(folder, { 'many.ts': text(3) })
    expect((await ingest(folder)).report.files).toMatchObject({ indexed: 1 })
    expect([...fake.documents.keys()].sort()).toEqual(['many.ts', 'one.ts'])
  })

  it('reports a rejected file and stores the others', async () => {
    const folder = makeFolder({ ...repository(), 'bad.ts': 'const x = "REJECT ME"\n' })
    const { code, report } = await ingest(folder)
    expect(code).toBe(1)
    expect(report.rejected).toEqual([{ at: 'bad.ts', reason: 'not wanted' }])
    expect(report.files.indexed).toBe(8)
  })

  it('isolates the one document that makes the coordinator reject its request', async () => {
    const folder = makeFolder({ ...repository(), 'bad.ts': 'const x = 1\n' })
    fake.intercept = (_, body) =>
      JSON.stringify(body).includes('"bad.ts"') ? { status: 413, code: 'too_large', detail: 'too large' } : undefined
    const { code, report } = await ingest(folder)
    expect(code).toBe(1)
    expect(report.rejected).toEqual([{ at: 'bad.ts', reason: 'too large' }])
    expect(fake.documents.size).toBe(8)
  })
})

describe('a missing file is not necessarily deleted', () => {
  it('two folders with the same name stay separate, even with common content', async () => {
    const scaffold = { 'package.json': '{"name":"vite-project"}', 'README.md': '# Vite' }
    const one = makeFolder({ ...scaffold, 'src/invoice.js': 'export const invoice = 1\n' })
    const two = makeFolder({ ...scaffold, 'src/recipe.js': 'export const recipe = 1\n' })
    expect((await ingest(one)).code).toBe(0)
    const before = new Map(fake.documents)
    const refused = await ingest(two)
    expect(refused.code).toBe(1)
    expect(refused.report.failure?.message).toContain('3 files of another folder')
    expect(refused.report.failure?.hint).toMatch(/--source.*--replace/)
    expect(fake.documents).toEqual(before)
    const replaced = await ingest(two, '--replace')
    expect(replaced.report.files).toMatchObject({ removed: 1 })
    // The name now belongs to the second folder, even where the contents are equal.
    expect((await ingest(two)).code).toBe(0)
    expect((await ingest(one)).code).toBe(1)
  })

  it('two repositories with the same name stay separate; two checkouts of one repository do not', async () => {
    const files = { 'a.ts': 'export const a = 1\n', 'b.ts': 'export const b = 1\n', 'c.ts': 'export const c = 1\n' }
    const first = makeRepository(files)
    const second = makeRepository({ ...files, 'a.ts': 'export const other = 1\n' })
    await ingest(first, '--source', 's')
    expect((await ingest(second, '--source', 's')).code).toBe(1)
    const clone = makeFolder({})
    git(clone, 'clone', '-q', first, 'c')
    rmSync(join(clone, 'c/b.ts'))
    const again = await ingest(join(clone, 'c'), '--source', 's')
    expect(again.report.files).toMatchObject({ unchanged: 2, removed: 1 })
    git(first, 'worktree', 'add', '-q', join(clone, 'tree'))
    expect((await ingest(join(clone, 'tree'), '--source', 's')).report.files).toMatchObject({ indexed: 1, removed: 0 })
    // A part under the same name is not the whole repository.
    writeFiles(first, { 'sub/a.ts': 'export const a = 1\n' })
    expect((await ingest(join(first, 'sub'), '--source', 's')).code).toBe(1)
  })

  it('the same remote is the same repository, including in a shallow clone and after the history was rewritten', async () => {
    const origin = makeRepository({ 'a.ts': 'export const a = 1\n', 'b.ts': 'export const b = 1\n' })
    writeFiles(origin, { 'c.ts': 'export const c = 1\n' })
    git(origin, 'add', '-A')
    git(origin, 'commit', '-qm', 'second')
    const place = makeFolder({})
    git(place, 'clone', '-q', `file://${origin}`, 'full')
    git(place, 'clone', '-q', '--depth', '1', `file://${origin}`, 'shallow')
    git(place, 'clone', '-q', `file://${origin}`, 'rewritten')
    git(join(place, 'rewritten'), 'checkout', '-q', '--orphan', 'new')
    git(join(place, 'rewritten'), 'commit', '-qm', 'anew')
    for (const name of ['full', 'shallow', 'rewritten'])
      expect((await ingest(join(place, name), '--source', 's')).code).toBe(0)
    expect(fake.documents.size).toBe(3)
  })

  it('an empty folder removes nothing', async () => {
    const vault = makeFolder({ 'n1.md': 'note 1 about saffron', 'n2.md': 'note 2', 'n3.md': 'note 3' })
    await ingest(vault, '--source', 'vault')
    for (const name of ['n1.md', 'n2.md', 'n3.md']) rmSync(join(vault, name))
    const refused = await ingest(vault, '--source', 'vault')
    expect(refused.code).toBe(1)
    expect(refused.report.failure).toMatchObject({
      message: expect.stringContaining('none of the 3 files'),
      hint: expect.stringContaining('--replace'),
    })
    expect(fake.documents.size).toBe(3)
    expect((await ingest(vault, '--source', 'vault', '--replace')).report.files.removed).toBe(3)
  })

  it('more than half is refused before anything is sent; renamed files do not count as deleted', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `src/f${i}.ts`)
    const folder = makeFolder(Object.fromEntries(names.map((name, i) => [name, `export const v${i} = ${i}\n`])))
    await ingest(folder, '--source', 's')
    renameSync(join(folder, 'src'), join(folder, 'lib'))
    const renamed = await ingest(folder, '--source', 's')
    expect(renamed.report.files).toMatchObject({ indexed: 10, removed: 10 })
    for (const name of names.slice(0, 6)) rmSync(join(folder, name.replace('src', 'lib')))
    writeFiles(folder, { 'new.ts': 'export const fresh = 1\n' })
    fake.requests.length = 0
    const refused = await ingest(folder, '--source', 's')
    expect(refused.report.failure?.message).toContain('6 of the 10 files')
    expect(writes()).toEqual([])
    // Existing files that are now skipped also count as removed; they are known only after reading.
    for (const name of names.slice(0, 6)) writeFiles(folder, { [name.replace('src', 'lib')]: '// @generated by x\n' })
    const emptied = await ingest(folder, '--source', 's')
    expect(emptied.code).toBe(1)
    expect(emptied.report.files).toMatchObject({ indexed: 1, removed: 0 })
    expect((await ingest(folder, '--source', 's', '--replace')).report.files.removed).toBe(6)
  })

  it('takes over data stored before identities were recorded', async () => {
    const folder = makeFolder({ 'a.ts': 'export const a = 1\n' })
    fake.documents.set('a.ts', { hash: 'f'.repeat(64), items: new Map() })
    expect((await ingest(folder)).report.files).toMatchObject({ indexed: 1 })
    expect(fake.documents.get('a.ts')?.hash).toMatch(/^[0-9a-f]{64} p=[0-9a-f]{16}$/)
  })
})

describe('knowledge as files', () => {
  const practice = '---\ncategory: sql\n---\n# Index foreign keys\n\nA join without an index scans.\n'

  it('is read from .hybrid into its collection, and removed with its file', async () => {
    const folder = makeFolder({
      'a.ts': 'export const a = 1\n',
      '.hybrid/best-practices/sql.md': practice,
      '.hybrid/error-solutions/port.md': '# EADDRINUSE\n\nStop the other one.\n',
      '.hybrid/best-practices/broken.md': '---\n[\n---\nText.\n',
      '.hybrid/README.md': '# What this folder is for\n\nKnowledge.\n',
    })
    const { code, report } = await ingest(folder, '--source', 's')
    expect(code).toBe(1)
    expect(report.rejected).toEqual([
      { at: '.hybrid/best-practices/broken.md', reason: expect.stringMatching(/^front matter: /) },
    ])
    expect([...fake.documents.keys()]).toEqual(['.hybrid/README.md', 'a.ts'])
    const stored = fake.documentsOf('best-practices').get('.hybrid/best-practices/sql.md')
    expect(stored?.items.get('file')?.fields).toEqual({
      title: 'Index foreign keys',
      description: 'A join without an index scans.',
      category: 'sql',
    })
    expect(fake.documentsOf('error-solutions').size).toBe(1)
    rmSync(join(folder, '.hybrid/best-practices/broken.md'))
    const again = await ingest(folder, '--source', 's')
    expect(again.code).toBe(0)
    expect(again.report.files).toMatchObject({ indexed: 0, unchanged: 4, removed: 0 })
    rmSync(join(folder, '.hybrid/error-solutions'), { recursive: true })
    expect((await ingest(folder, '--source', 's', '--replace')).report.files.removed).toBe(1)
    expect(fake.documentsOf('error-solutions').size).toBe(0)
  })

  it('with a key is the existing item, not a second one', async () => {
    fake.items.set('learnt-1', { key: 'learnt-1', fields: { title: 'Old words' } })
    const folder = makeFolder({
      '.hybrid/best-practices/sql.md': practice.replace('---\n', '---\nkey: learnt-1\n'),
      '.hybrid/best-practices/other.md': '# Other\n\nText.\n',
    })
    await ingest(folder, '--source', 's')
    expect([...fake.items.values()].map(({ fields }) => fields.title)).toEqual(['Index foreign keys'])
    expect(fake.documentsOf('best-practices').get('.hybrid/best-practices/sql.md')?.items.size).toBe(0)
    fake.requests.length = 0
    expect((await ingest(folder, '--source', 's')).report.files).toMatchObject({ indexed: 0, unchanged: 2 })
    expect(writes()).toEqual([])
    writeFiles(folder, { '.hybrid/best-practices/sql.md': practice.replace('---\n', '---\nkey: learnt-2\n') })
    await ingest(folder, '--source', 's')
    expect([...fake.items.keys()]).toEqual(['learnt-2'])
    rmSync(join(folder, '.hybrid/best-practices/sql.md'))
    await ingest(folder, '--source', 's')
    expect(fake.items.size).toBe(0)
  })

  it('a folder of notes can go to any collection', async () => {
    const folder = makeFolder({
      'sql.md': practice,
      'deep/port.md': '# Ports\n\nAsk first.\n',
      'a.png': 'x',
      'b.ts': 'b',
    })
    const { report } = await ingest(folder, '--source', 'notes', '--collection', 'best-practices')
    expect(report.files).toMatchObject({ indexed: 2, skipped: { 'no Markdown': 2 } })
    expect([...fake.documentsOf('best-practices').keys()]).toEqual(['deep/port.md', 'sql.md'])
  })
})

describe('the report', () => {
  it('lists every skipped path', async () => {
    const folder = makeFolder({
      'a.ts': 'export const a = 1\n',
      'blank.ts': '\n\n',
      'picture.png': new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]),
      'yarn.lock': 'x',
      'short.c': encode('/* 在庫 */\nint a; int b; int c; int d;\n', 'shift_jis'),
    })
    const { report } = await ingest(folder)
    expect(report.left_out).toEqual([
      { path: 'blank.ts', reason: 'empty' },
      { path: 'picture.png', reason: 'binary' },
      { path: 'short.c', reason: 'encoding unclear' },
      { path: 'yarn.lock', reason: 'lock file' },
    ])
    expect(formatReport(report)).toMatch(/left out.*1 binary.*--verbose/)
    expect(formatReport(report, true)).toMatch(/encoding unclear short\.c[\s\S]*\.hybridignore/)
  })

  it('resolves an encoding by other files', async () => {
    const folder = makeFolder({
      'a.c': encode(`/* 在庫 */\n${'int f(int a) { return a; } /* plain */\n'.repeat(40)}`, 'shift_jis'),
      'b.c': encode('/* 在庫を再計算する */\nint recount(int n) { return n; } /* 負の在庫はエラー */\n', 'shift_jis'),
    })
    expect((await ingest(folder)).report).toMatchObject({ files: { indexed: 2 }, left_out: [] })
    const [item] = fake.documents.get('a.c')?.items.values() ?? []
    expect(item?.fields.code_snippet).toContain('在庫')
  })
})

describe('errors', () => {
  it('retries 429, 503 and broken connections', async () => {
    const troubles = [
      { status: 503, code: 'busy', detail: 'busy' },
      'drop' as const,
      { status: 429, code: 'slow', detail: 'slow' },
    ]
    fake.intercept = (path) => (path === '/knowledge/documents' ? troubles.shift() : undefined)
    const { code, report } = await ingest(makeFolder(repository()))
    expect(code).toBe(0)
    expect(report.files.indexed).toBe(8)
    expect(troubles).toEqual([])
  })

  it('explains what to do if nothing answers, or no key is given', async () => {
    const folder = makeFolder(repository())
    fake.apiKey = 'k'
    const refused = await ingest(folder)
    expect(refused.code).toBe(1)
    expect(refused.report.failure).toMatchObject({
      message: expect.stringContaining('401'),
      hint: expect.stringContaining('HYBRID_API_KEY'),
    })
    expect((await ingest(folder, '--key', 'k')).code).toBe(0)
    const nobody = await ingest(folder, '--url', 'http://127.0.0.1:9')
    expect(nobody.code).toBe(1)
    expect(nobody.report.failure?.hint).toContain('npm run dev')
  })

  it('invalid arguments exit with 2 before anything is sent', async () => {
    for (const argv of [
      [],
      ['/no/such/folder'],
      ['--nonsense', '.'],
      ['.', '..'],
      ['.', '--max-file-size', 'big'],
      ['package.json'],
    ]) {
      expect((await ingest(...argv)).code).toBe(2)
    }
    expect(fake.requests).toEqual([])
  })
})

describe('the process', () => {
  const source = new URL('../../cli/ingest.ts', import.meta.url).href
  const start = (folder: string) =>
    spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { run } = await import(${JSON.stringify(source)}); process.exit(await run(process.argv.slice(1)))`,
        '--',
        folder,
        '--url',
        fake.url,
        '--source',
        's',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
  const ended = (child: ReturnType<typeof start>): Promise<number | null> =>
    new Promise((resolve) => child.on('exit', (code) => resolve(code)))
  const many = (): Record<string, string> =>
    Object.fromEntries(
      Array.from({ length: 700 }, (_, i) => [`f${i}.ts`, `/** Number ${i}. */\nexport const v${i} = ${i}\n`]),
    )

  it.each(['SIGKILL', 'SIGINT'] as const)('interrupted by %s and run again, completes', async (signal) => {
    const folder = makeFolder(many())
    let stop: () => void = () => {}
    const reached = new Promise<void>((resolve) => {
      stop = resolve
    })
    fake.delay = 100
    fake.intercept = () => {
      if (fake.documents.size >= 100) stop()
      return undefined
    }
    const child = start(folder)
    let out = ''
    child.stdout.on('data', (text: Buffer) => {
      out += text.toString()
    })
    const exit = ended(child)
    await reached
    child.kill(signal)
    // Under npm, the process receives one key press twice.
    setTimeout(() => child.kill(signal), 20)
    const code = await exit
    const stored = fake.documents.size
    expect(stored).toBeGreaterThanOrEqual(100)
    expect(stored).toBeLessThan(700)
    if (signal === 'SIGINT') {
      expect(code).toBe(130)
      expect(out).toContain('Interrupted')
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    const resumed = fake.documents.size
    const { code: again, report } = await ingest(folder, '--source', 's')
    expect(again).toBe(0)
    expect(report.files).toMatchObject({ unchanged: resumed, indexed: 700 - resumed, removed: 0 })
    expect(fake.documents.size).toBe(700)
  })
})

describe('JSON Lines', () => {
  it('stores valid lines and reports invalid ones by number', async () => {
    const folder = makeFolder({
      'practices.jsonl': [
        '{"key":"a","title":"A","description":"first"}',
        '',
        '{broken',
        '[1]',
        '{"title":"B","description":"second"}',
        '{"description":"no title"}',
        '{"key":7,"title":"C"}',
        '{"key":"d","title":"D"}',
      ].join('\r\n'),
    })
    const file = join(folder, 'practices.jsonl')
    const { code, report } = await ingest(file, '--collection', 'best-practices')
    expect(code).toBe(1)
    expect(report.chunks).toMatchObject({ total: 4, added: 3 })
    expect(report.rejected.map(({ at }) => at)).toEqual(['line 3', 'line 4', 'line 6', 'line 7'])
    expect(report.rejected[2]?.reason).toBe('title: is required')
    expect([...fake.items.values()].map(({ fields }) => fields.title)).toEqual(['A', 'B', 'D'])
    expect((await ingest(file, '--collection', 'best-practices')).report.chunks).toMatchObject({
      added: 0,
      unchanged: 3,
    })
  })

  it('sends more than one request if there are many lines', async () => {
    const lines = Array.from({ length: 1_000 }, (_, i) => JSON.stringify({ key: `k${i}`, title: `T${i}` })).join('\n')
    const file = join(makeFolder({ 'many.jsonl': lines }), 'many.jsonl')
    const { code, report } = await ingest(file, '--collection', 'best-practices')
    expect(code).toBe(0)
    expect(report.chunks.added).toBe(1_000)
    expect(writes().length).toBe(3)
  })

  it('needs a collection', async () => {
    const folder = makeFolder({ 'a.jsonl': '{}' })
    const { code, err } = await ingest(join(folder, 'a.jsonl'))
    expect(code).toBe(2)
    expect(err).toContain('--collection')
  })
})

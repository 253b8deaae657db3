import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatReport } from '../../cli/ingest/report.ts'
import { encode } from './encode.ts'
import { makeFolder, writeFiles } from './folders.ts'
import { fake, ingest, repository, storedChunks, writes } from './ingest-run.ts'
import { SAMPLES } from './samples.ts'

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

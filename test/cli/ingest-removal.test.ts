import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { git, makeFolder, makeRepository, writeFiles } from './folders.ts'
import { fake, ingest, writes } from './ingest-run.ts'

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

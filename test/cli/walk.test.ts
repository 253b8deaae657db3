import { chmodSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { walk } from '../../cli/ingest/walk.ts'
import { git, makeFolder, makeRepository, writeFiles } from './folders.ts'

const OPTIONS = { include: [], exclude: [], maxFileSize: 512 * 1024 }

const walked = (folder: string, options: Partial<Parameters<typeof walk>[1]> = {}) =>
  walk(realpathSync(folder), { ...OPTIONS, ...options })
const paths = async (folder: string, options: Partial<Parameters<typeof walk>[1]> = {}): Promise<string[]> =>
  (await walked(folder, options)).files.map((file) => file.path)
const leftOut = async (folder: string, options: Partial<Parameters<typeof walk>[1]> = {}) =>
  Object.fromEntries((await walked(folder, options)).leftOut.map(({ path, reason }) => [path, reason]))

describe('in a repository, reads the files that git lists', () => {
  it('reads tracked files even if an ignore pattern matches them', async () => {
    const folder = makeRepository({
      'buildtools/checkperl.cmake': 'set(PERL_MINIMUM 5.30)',
      '.github/workflows/ci.yml': 'on: push',
      'README.md': 'read me',
      'notes.tmp': 'tracked',
    })
    writeFiles(folder, { '.gitignore': 'build*/\n.*\nREADME*\n*.tmp\n', 'other.tmp': 'not tracked', 'new.ts': 'new' })
    expect(await paths(folder)).toEqual([
      '.github/workflows/ci.yml',
      'README.md',
      'buildtools/checkperl.cmake',
      'new.ts',
      'notes.tmp',
    ])
    expect(await leftOut(folder)).toMatchObject({ 'other.tmp': 'ignored', '.gitignore': 'ignored' })
  })

  it('is case-sensitive if the repository is', async () => {
    const folder = makeRepository({ 'library/shelve.py': 'def shelve(book): return book' })
    writeFiles(folder, { '.gitignore': 'Library/\nVENDORED\n', 'library/new.py': 'x = 1', vendored: 'text' })
    git(folder, 'config', 'core.ignorecase', 'false')
    expect(await paths(folder)).toEqual(['.gitignore', 'library/new.py', 'library/shelve.py', 'vendored'])
    git(folder, 'config', 'core.ignorecase', 'true')
    expect(await paths(folder)).toEqual(['.gitignore', 'library/shelve.py'])
  })

  it('treats an uncommitted deletion as deleted, and supports any name that git quotes', async () => {
    const folder = makeRepository({ 'a.ts': 'a', 'gone.ts': 'g', 'naïve "q" 日本\tx.ts': 'n' })
    rmSync(join(folder, 'gone.ts'))
    expect(await paths(folder)).toEqual(['a.ts', 'naïve "q" 日本\tx.ts'])
  })

  it('reads a part of a repository on its own, with the rules from above', async () => {
    const folder = makeRepository({
      '.gitignore': '*.gen.ts\n',
      'sub/a.ts': 'a',
      'sub/.gitignore': '*.md\n',
      'b.ts': 'b',
    })
    writeFiles(folder, { 'sub/x.gen.ts': 'x', 'sub/n.md': 'n', 'sub/new.ts': 'n' })
    expect(await paths(join(folder, 'sub'))).toEqual(['.gitignore', 'a.ts', 'new.ts'])
  })

  it('uses the right repository when a hook has set other git variables', async () => {
    const folder = makeRepository({ 'a.ts': 'a' })
    const other = makeRepository({ 'other.ts': 'b' })
    process.env.GIT_DIR = join(other, '.git')
    process.env.GIT_WORK_TREE = other
    try {
      expect(await paths(folder)).toEqual(['a.ts'])
    } finally {
      delete process.env.GIT_DIR
      delete process.env.GIT_WORK_TREE
    }
  })

  it('reads submodules and nested repositories once, and reports those not checked out', async () => {
    const library = makeRepository({ 'lib.ts': 'l' })
    const folder = makeRepository({ 'a.ts': 'a' })
    git(folder, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'deps/lib')
    git(folder, 'commit', '-qm', 'submodule')
    git(folder, 'clone', '-q', folder, 'copy')
    git(folder, 'worktree', 'add', '-q', 'trees/feature')
    const nested = makeRepository({ 'n.ts': 'n' })
    git(folder, 'clone', '-q', nested, 'nested')
    expect(await paths(folder)).toEqual(['.gitmodules', 'a.ts', 'deps/lib/lib.ts', 'nested/n.ts'])
    expect(await leftOut(folder)).toEqual({ 'copy/': 'same repository', 'trees/feature/': 'same repository' })
    git(folder, 'submodule', '--quiet', 'deinit', '-f', 'deps/lib')
    expect(await leftOut(folder)).toMatchObject({ 'deps/lib/': 'submodule not checked out' })
  })

  it('reads a folder of checkouts, each repository once', async () => {
    const folder = makeFolder({ 'notes.md': 'n' })
    const origin = makeRepository({ 'w.ts': 'w' })
    git(folder, 'clone', '-q', origin, 'widgets')
    git(join(folder, 'widgets'), 'worktree', 'add', '-q', '../a-feature')
    git(folder, 'clone', '-q', makeRepository({ 'g.ts': 'g' }), 'gadgets')
    expect(await paths(folder)).toEqual(['gadgets/g.ts', 'notes.md', 'widgets/w.ts'])
    expect(await leftOut(folder)).toEqual({ 'a-feature/': 'same repository' })
  })
})

describe('outside a repository', () => {
  it('respects .gitignore at every level, negation, and .git/info/exclude where git cannot be run', async () => {
    const folder = makeFolder({
      '.git/config': '',
      '.git/info/exclude': 'private/\n',
      '.gitignore': 'dist/\n*.gen.ts\n!keep.gen.ts\n/only-root.txt\n',
      'a.ts': 'a',
      'b.gen.ts': 'b',
      'keep.gen.ts': 'k',
      'dist/out.js': 'o',
      'only-root.txt': 'r',
      'sub/only-root.txt': 'r',
      'sub/.gitignore': '*.md\n!README.md\n',
      'sub/README.md': 'r',
      'sub/notes.md': 'n',
      'sub/deep/notes.md': 'n',
      'private/p.ts': 'p',
    })
    expect(await paths(folder)).toEqual([
      '.gitignore',
      'a.ts',
      'keep.gen.ts',
      'sub/.gitignore',
      'sub/README.md',
      'sub/only-root.txt',
    ])
    expect(await paths(join(folder, 'sub'))).toEqual(['.gitignore', 'README.md', 'only-root.txt'])
  })

  it('walks a folder that is itself ignored or vendored, because it was requested', async () => {
    const folder = makeRepository({ '.gitignore': 'node_modules/\ndist/\n*.js\n' })
    writeFiles(folder, {
      'node_modules/lib/index.js': 'x',
      'node_modules/lib/node_modules/inner/index.js': 'x',
      'dist/out.js': 'x',
    })
    expect(await paths(join(folder, 'node_modules/lib'))).toEqual(['index.js'])
    expect(await paths(join(folder, 'dist'))).toEqual(['out.js'])
    expect(await paths(folder)).toEqual(['.gitignore'])
  })

  it('does not follow symbolic links, so a loop ends', async () => {
    const folder = makeFolder({ 'a/x.ts': 'x' })
    symlinkSync(folder, join(folder, 'a/loop'))
    symlinkSync(join(folder, 'a/x.ts'), join(folder, 'y.ts'))
    expect(await paths(folder)).toEqual(['a/x.ts'])
    expect(await leftOut(folder)).toEqual({ 'a/loop': 'symlink', 'y.ts': 'symlink' })
  })

  it.skipIf(process.getuid?.() === 0)(
    'reports that missing files prove nothing if a directory cannot be read',
    async () => {
      const folder = makeFolder({ 'a/x.ts': 'x', 'b.ts': 'b' })
      chmodSync(join(folder, 'a'), 0)
      const result = await walked(folder)
      chmodSync(join(folder, 'a'), 0o755)
      expect(result).toMatchObject({ complete: false, leftOut: [{ path: 'a/', reason: 'unreadable' }] })
    },
  )
})

describe('skipped files are reported, and can be included', () => {
  const files = {
    '.env': 'SECRET=1',
    '.env.example': 'SECRET=',
    'package-lock.json': '{}',
    'app.js.map': '{}',
    'empty.ts': '',
    'huge.ts': 'x'.repeat(2_000),
    'src/a.ts': 'a',
    'src/b.py': 'b',
    'logo.svg': '<svg/>',
  }

  it('by path and reason', async () => {
    const folder = makeFolder({ ...files, 'node_modules/x/i.js': 'x' })
    expect(await paths(folder, { maxFileSize: 1_000 })).toEqual(['.env.example', 'src/a.ts', 'src/b.py'])
    expect(await leftOut(folder, { maxFileSize: 1_000 })).toEqual({
      '.env': 'secret',
      'package-lock.json': 'lock file',
      'app.js.map': 'generated',
      'empty.ts': 'empty',
      'huge.ts': 'too large',
      'node_modules/': 'vendored',
      'logo.svg': 'picture',
    })
    expect(await paths(folder, { include: ['*.py'] })).toEqual(['src/b.py'])
    expect(await paths(folder, { exclude: ['src/'], maxFileSize: 1_000 })).toEqual(['.env.example'])
  })

  it('by --include and .hybridignore; a secret only by its exact name', async () => {
    const folder = makeFolder(files)
    expect(await paths(folder, { include: ['*.svg', '*.json'] })).toEqual(['logo.svg', 'package-lock.json'])
    expect(await paths(folder, { include: ['.*', '*'] })).not.toContain('.env')
    expect(await paths(folder, { include: ['.env'] })).toEqual(['.env'])
    writeFiles(folder, { '.hybridignore': 'src/*\n!src/b.py\n!*.svg\nhuge.ts\n!.env\n' })
    expect(await paths(folder)).toEqual(['.env', '.env.example', '.hybridignore', 'logo.svg', 'src/b.py'])
    expect(await leftOut(folder)).toMatchObject({ 'src/a.ts': 'excluded', 'huge.ts': 'excluded' })
  })

  it('a folder named vendor is classified by its contents', async () => {
    const ours = makeRepository({
      'src/vendor/payout.js': 'export function payVendorsWeekly(vendors) { return vendors.length }',
      'third_party/README.md': 'Our connectors to third parties.',
    })
    expect(await paths(ours)).toEqual(['src/vendor/payout.js', 'third_party/README.md'])
    const theirs = makeRepository({
      'vendor/modules.txt': '# example.org/x v1',
      'vendor/example.org/x/x.go': 'package x',
      'third_party/zlib/LICENSE': 'zlib',
      'third_party/zlib/zlib.c': 'int z;',
      'node_modules/left/index.js': 'x',
      'main.go': 'package main',
    })
    const { leftOut: out, files: read } = await walked(theirs)
    expect(read.map(({ path }) => path)).toEqual(['main.go'])
    expect(out).toEqual(
      expect.arrayContaining([
        { path: 'vendor/', reason: 'vendored', files: 2 },
        { path: 'third_party/', reason: 'vendored', files: 2 },
        { path: 'node_modules/', reason: 'vendored', files: 1 },
      ]),
    )
    writeFiles(theirs, { '.hybridignore': '!third_party/\n!vendor/example.org/\n' })
    expect(await paths(theirs)).toEqual([
      '.hybridignore',
      'main.go',
      'third_party/zlib/LICENSE',
      'third_party/zlib/zlib.c',
      'vendor/example.org/x/x.go',
    ])
    expect(await paths(theirs, { include: ['vendor/'] })).toEqual(['vendor/example.org/x/x.go', 'vendor/modules.txt'])
  })

  it('.gitattributes marks generated and vendored files', async () => {
    const folder = makeRepository({
      '.gitattributes': 'copied/* linguist-vendored\nvendor/* -linguist-vendored\n*.pb.ts linguist-generated\n',
      'copied/jquery.js': 'var jQuery',
      'vendor/LICENSE': 'ours',
      'vendor/a.ts': 'a',
      'x.pb.ts': 'x',
    })
    const { files: read } = await walked(folder)
    expect(read.map(({ path }) => path)).toEqual(['.gitattributes', 'vendor/LICENSE', 'vendor/a.ts', 'x.pb.ts'])
    expect(read.at(-1)?.attributes).toEqual({ generated: true })
    expect(await leftOut(folder)).toEqual({ 'copied/jquery.js': 'vendored' })
  })
})

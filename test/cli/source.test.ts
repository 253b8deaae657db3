import { realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { frameworkFinder } from '../../cli/ingest/framework.ts'
import { repositoryOf } from '../../cli/ingest/git.ts'
import { remoteName, sourceName } from '../../cli/ingest/source.ts'
import { git, makeFolder, makeRepository } from './folders.ts'

describe('framework', () => {
  it('comes from the nearest manifest, if it names only one', () => {
    const folder = makeFolder({
      'package.json': '{"dependencies":{"react":"1","express":"4"}}',
      'web/package.json': '{"dependencies":{"next":"1","react":"1"}}',
      'api/pyproject.toml': '[project]\ndependencies = ["fastapi>=0.1", "flask-not-really"]\n',
      'broken/package.json': '{',
    })
    const frameworkOf = frameworkFinder(folder)
    expect(frameworkOf('src/a.ts', 'typescript')).toBeUndefined()
    expect(frameworkOf('web/src/a.tsx', 'typescript')).toBe('next')
    expect(frameworkOf('api/app/main.py', 'python')).toBe('fastapi')
    expect(frameworkOf('broken/a.js', 'javascript')).toBeUndefined()
    expect(frameworkOf('web/readme.md', 'markdown')).toBeUndefined()
  })
})

describe('source name', () => {
  const nameOf = async (folder: string): Promise<string> => {
    const real = realpathSync(folder)
    return sourceName(real, await repositoryOf(real))
  }

  it('is the remote, the package or the folder', async () => {
    expect(remoteName('git@github.com:owner/name.git')).toBe('owner/name')
    expect(remoteName('https://user:secret@example.org/group/sub/name.git')).toBe('sub/name')
    expect(remoteName('/srv/git/name.git')).toBe('git/name')
    expect(remoteName('name')).toBeUndefined()
    const cloned = makeRepository({ 'sub/a.ts': 'a' }, 'https://example.org/owner/name')
    expect(await nameOf(cloned)).toBe('owner/name')
    expect(await nameOf(join(cloned, 'sub'))).toBe('owner/name/sub')
    expect(await nameOf(makeFolder({ 'package.json': '{"name":"@scope/lib"}' }))).toBe('@scope/lib')
  })

  it('is the same in a linked worktree, with a remote and without', async () => {
    const main = makeRepository({ 'a.js': 'export const a = 1' }, 'https://example.org/acme/widgets.git')
    git(main, 'worktree', 'add', '-q', `${main}-feature`)
    expect(await nameOf(`${main}-feature`)).toBe('acme/widgets')
    git(main, 'remote', 'remove', 'origin')
    expect(await nameOf(`${main}-feature`)).toBe(await nameOf(main))
    rmSync(`${main}-feature`, { recursive: true })
  })
})

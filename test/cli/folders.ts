import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

const made: string[] = []
afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** Writes files to a folder. */
export function writeFiles(folder: string, files: Record<string, string | Uint8Array>): void {
  for (const [path, content] of Object.entries(files)) {
    const absolute = join(folder, path)
    mkdirSync(dirname(absolute), { recursive: true })
    writeFileSync(absolute, content)
  }
}

/** A temporary folder with files, removed when the test file ends. */
export function makeFolder(files: Record<string, string | Uint8Array>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ingest-'))
  made.push(folder)
  writeFiles(folder, files)
  return folder
}

/** Runs git in a folder with a neutral identity. */
export function git(folder: string, ...args: string[]): string {
  const who = ['-c', 'user.name=n', '-c', 'user.email=n@example.org', '-c', 'init.defaultBranch=main']
  return execFileSync('git', ['-C', folder, ...who, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** A temporary git repository whose files are committed. */
export function makeRepository(files: Record<string, string | Uint8Array>, remote?: string): string {
  const folder = makeFolder(files)
  git(folder, 'init', '-q')
  if (remote) git(folder, 'remote', 'add', 'origin', remote)
  git(folder, 'add', '-Af')
  git(folder, 'commit', '-qm', 'first')
  return folder
}

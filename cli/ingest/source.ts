/**
 * The source name for a folder's documents.
 * @module
 */
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Repository } from './git.ts'

/** `owner/name` of a remote URL in any of git's formats, without credentials. */
export function remoteName(url: string): string | undefined {
  const path = url
    .trim()
    .replace(/^[a-z+]+:\/\/[^/]+\//i, '')
    .replace(/^[^@/\s]+@[^:/\s]+:/, '')
    .replace(/\.git\/?$/, '')
    .replace(/^\/+|\/+$/g, '')
  const parts = path.split('/').filter(Boolean)
  return /^[\w.@-]+$/.test(parts.at(-1) ?? '') && parts.length >= 2 ? parts.slice(-2).join('/') : undefined
}

function packageName(folder: string): string | undefined {
  try {
    const name = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}

/**
 * Name of a folder: the git remote as `owner/name` with the path inside the repository, or the package's name, or the
 * folder's own name. It is the same for every clone of a repository, and a linked worktree has the name of its main
 * worktree.
 * @param folder - absolute real path
 * @param repository - the repository it belongs to, if any
 */
export function sourceName(folder: string, repository: Repository | undefined): string {
  const inside = folder.split(/[\\/]/).includes('node_modules')
  const remote = repository?.remote && !inside ? remoteName(repository.remote) : undefined
  if (repository && remote) return [remote, ...repository.prefix.split('/').filter(Boolean)].join('/')
  const main = repository?.linked ? join(dirname(repository.commonDir), repository.prefix) : folder
  return packageName(main) ?? packageName(folder) ?? (basename(main) || 'root')
}

/**
 * The name a folder's documents are stored under.
 * @module
 */
import { readFileSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { gitRoot } from './walk.ts'

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** `owner/name` of a remote URL in any of git's forms, without credentials. */
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
    const name = (JSON.parse(read(join(folder, 'package.json')) ?? '{}') as { name?: unknown }).name
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}

/**
 * Name of a folder: the git remote `origin` as `owner/name` with the path inside the repository, else the package's name,
 * else the folder's own. Two different folders seldom share one, and the same repository has it wherever it is cloned.
 * @param folder - absolute real path
 */
export function sourceName(folder: string): string {
  const root = gitRoot(folder)
  const config = root && !folder.split(sep).includes('node_modules') ? read(join(root, '.git', 'config')) : undefined
  const url = /\[remote "origin"\][^[]*?\n\s*url\s*=\s*(\S+)/.exec(config ?? '')?.[1]
  const remote = url ? remoteName(url) : undefined
  if (root && remote) return [remote, ...relative(root, folder).split(sep).filter(Boolean)].join('/')
  return packageName(folder) ?? (basename(folder) || 'root')
}

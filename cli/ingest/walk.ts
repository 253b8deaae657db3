/**
 * Walks a folder: what git would track and a reader would want, in a stable order, without following symbolic links.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import createIgnore, { type Ignore } from 'ignore'
import { isVendored, type SkipReason, skipByName } from './skip-rules.ts'

/** What a walk looks for. */
export interface WalkOptions {
  /** Patterns in .gitignore form; a file must match one of them. Empty: every file. */
  include: readonly string[]
  /** Patterns in .gitignore form; what matches is left out. */
  exclude: readonly string[]
  /** Largest file in bytes. */
  maxFileSize: number
}

/** A file found. */
export interface FoundFile {
  /** Path relative to the folder, with `/`. */
  path: string
  absolute: string
  bytes: number
}

/** What a walk found. */
export interface Walk {
  files: FoundFile[]
  /** Files (and vendored or ignored directories, one each) left out, by reason. */
  skipped: Map<SkipReason, number>
  /** Paths that exist and could not be read: they must not be taken for deleted. */
  unreadable: string[]
  /** False when a directory could not be read, so that absence proves nothing. */
  complete: boolean
}

/** Ignore rules and the directory they are relative to. */
interface Rules {
  base: string
  rules: Ignore
}

function rulesFrom(base: string, file: string): Rules[] {
  try {
    return [{ base, rules: createIgnore().add(readFileSync(file, 'utf8')) }]
  } catch {
    return []
  }
}

/** The nearest directory at or above `folder` that holds `.git`, or undefined. */
export function gitRoot(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at
    if (dirname(at) === at) return undefined
  }
}

/** Deepest rules last; within git, the last rule that speaks decides. */
function isIgnored(stack: readonly Rules[], absolute: string, directory: boolean): boolean {
  let ignored = false
  for (const { base, rules } of stack) {
    const path = relative(base, absolute).split(sep).join('/')
    if (path === '' || path.startsWith('..')) continue
    const result = rules.test(directory ? `${path}/` : path)
    if (result.ignored) ignored = true
    else if (result.unignored) ignored = false
  }
  return ignored
}

/** Rules that apply from above the folder, unless they leave out the folder itself: then the user's word stands. */
function outerRules(folder: string): Rules[] {
  const root = gitRoot(folder)
  if (!root) return []
  const stack = rulesFrom(root, join(root, '.git', 'info', 'exclude'))
  const between = relative(root, folder).split(sep).filter(Boolean)
  if (between.some(isVendored)) return []
  let at = root
  for (const name of between) {
    stack.push(...rulesFrom(at, join(at, '.gitignore')))
    at = join(at, name)
    if (isIgnored(stack, at, true)) return []
  }
  return stack
}

/**
 * Walks `folder` depth first in name order.
 * @param folder - absolute path, already resolved to a real directory; it is walked even inside `node_modules`
 */
export async function walk(folder: string, options: WalkOptions): Promise<Walk> {
  const result: Walk = { files: [], skipped: new Map(), unreadable: [], complete: true }
  const include = options.include.length > 0 ? createIgnore().add([...options.include]) : undefined
  const exclude = createIgnore().add([...options.exclude])
  const skip = (reason: SkipReason): void => {
    result.skipped.set(reason, (result.skipped.get(reason) ?? 0) + 1)
  }

  async function enter(directory: string, prefix: string, outer: readonly Rules[]): Promise<void> {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined)
    if (!entries) {
      result.complete = false
      skip('unreadable')
      return
    }
    const stack = entries.some((entry) => entry.name === '.gitignore')
      ? [...outer, ...rulesFrom(directory, join(directory, '.gitignore'))]
      : outer
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      const absolute = join(directory, entry.name)
      const path = prefix + entry.name
      const isDirectory = entry.isDirectory()
      if (entry.isSymbolicLink()) skip('symlink')
      else if (isDirectory ? isVendored(entry.name) : entry.name === '.git') skip('vendored')
      else if (isIgnored(stack, absolute, isDirectory)) skip('ignored')
      else if (exclude.ignores(isDirectory ? `${path}/` : path)) skip('excluded')
      else if (isDirectory) await enter(absolute, `${path}/`, stack)
      else if (entry.isFile() && (!include || include.ignores(path))) await consider(absolute, path)
    }
  }

  async function consider(absolute: string, path: string): Promise<void> {
    const reason = skipByName(path)
    if (reason) return skip(reason)
    const status = await stat(absolute).catch(() => undefined)
    if (!status) {
      result.unreadable.push(path)
      skip('unreadable')
    } else if (status.size === 0) skip('empty')
    else if (status.size > options.maxFileSize) skip('too large')
    else result.files.push({ path, absolute, bytes: status.size })
  }

  await enter(folder, '', outerRules(folder))
  return result
}

/**
 * Finds the files to read in a folder. In a git repository, these are the files that git lists: tracked files, and
 * untracked files that are not ignored. Elsewhere, the folder is walked with the same rules. Symbolic links are never
 * followed.
 * @module
 */
import { existsSync, lstatSync, readFileSync, type Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Ignore } from 'ignore'
import { isCondensed } from './formats.ts'
import {
  attributesOf,
  type FileAttributes,
  isIgnoredFolder,
  listFiles,
  listIgnored,
  type Repository,
  repositoryOf,
  rootCommit,
} from './git.ts'
import { PATTERN_FILE, type PatternFile, patternsOf, rules } from './patterns.ts'
import { isToolFolder, type SkipReason, skipByName, vendoredFolders } from './skip-rules.ts'

/** Maximum size of a file in bytes, for formats that are shortened or mostly not text. */
const MAX_CONDENSED = 64 * 1024 * 1024

/** Options of a walk. */
export interface WalkOptions {
  /** Patterns in .gitignore format, one of which a file must match. Empty: every file. */
  include: readonly string[]
  /** Patterns in .gitignore format. Matching files are excluded. */
  exclude: readonly string[]
  /** Maximum size of a file in bytes. */
  maxFileSize: number
}

/** A found file. */
export interface FoundFile {
  /** Path relative to the folder, with `/`. */
  path: string
  absolute: string
  bytes: number
  /** Set if the user requested the file, so that its kind doesn't exclude it. `exact`: by its own name. */
  wanted?: 'pattern' | 'exact'
  attributes?: FileAttributes
}

/** A file, or a directory with a trailing `/`, that is not read. */
export interface LeftOut {
  path: string
  reason: SkipReason
  /** Number of files in a directory that is skipped as a whole, if known. */
  files?: number
}

/** The result of a walk. */
export interface Walk {
  files: FoundFile[]
  leftOut: LeftOut[]
  /** Paths that exist but could not be read: they must not count as deleted. */
  unreadable: string[]
  /** False if a directory could not be read, so that a missing file is not proof of deletion. */
  complete: boolean
}

/** The path of a file, before any rule decides whether to read it. */
interface Candidate {
  path: string
  absolute: string
  bytes: number
  attributes?: FileAttributes
}

/** Ignore rules and the directory that they are relative to. */
interface Rules {
  base: string
  rules: Ignore
}

function rulesFrom(base: string, file: string): Rules[] {
  try {
    return [{ base, rules: rules(readFileSync(file, 'utf8')) }]
  } catch {
    return []
  }
}

function statusOf(path: string): Stats | 'gone' | 'unreadable' {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? 'gone'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR' ? 'gone' : 'unreadable'
  }
}

/** The nearest directory at or above `folder` that contains `.git`, or undefined. */
function gitRoot(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at
    if (dirname(at) === at) return undefined
  }
}

/** The deepest rules are last. The last matching rule decides. */
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

/** Rules from above a folder that git can't list, unless they exclude the folder itself. */
function outerRules(folder: string): Rules[] {
  const root = gitRoot(folder)
  if (!root) return []
  const stack = rulesFrom(root, join(root, '.git', 'info', 'exclude'))
  const between = relative(root, folder).split(sep).filter(Boolean)
  if (between.some(isToolFolder)) return []
  let at = root
  for (const name of between) {
    stack.push(...rulesFrom(at, join(at, '.gitignore')))
    at = join(at, name)
    if (isIgnored(stack, at, true)) return []
  }
  return stack
}

/** Collects the files in a folder, including nested repositories. */
class Collector {
  readonly candidates: Candidate[] = []
  readonly leftOut: LeftOut[] = []
  readonly unreadable: string[] = []
  complete = true
  private readonly folder: string
  /** Repositories read so far, by identifiers that two checkouts share. */
  private readonly seen = new Set<string>()

  constructor(folder: string) {
    this.folder = folder
  }

  async collect(repository: Repository | undefined): Promise<void> {
    if (repository && !(await isIgnoredFolder(repository))) {
      const [, listed] = await Promise.all([this.remember(repository), this.listed(this.folder)])
      if (await this.list(this.folder, '', listed)) return
    }
    await this.enter(this.folder, '', repository ? [] : outerRules(this.folder))
  }

  private skip(path: string, reason: SkipReason): void {
    this.leftOut.push({ path, reason })
  }

  /** Records a repository. @returns false if another checkout of it was read */
  private async remember(repository: Repository): Promise<boolean> {
    const names = [repository.commonDir, (await rootCommit(repository)) ?? ''].filter(Boolean)
    if (names.some((name) => this.seen.has(name))) return false
    for (const name of names) this.seen.add(name)
    return true
  }

  /** Reads a checkout inside the folder, unless the same repository was already read or has its main worktree here. */
  private async nested(directory: string, prefix: string): Promise<boolean> {
    const repository = await repositoryOf(directory)
    if (!repository || repository.root !== directory) return false
    const main = dirname(repository.commonDir)
    const within = !relative(this.folder, main).startsWith('..') && existsSync(main)
    if ((repository.linked && within) || !(await this.remember(repository))) {
      this.skip(prefix, 'same repository')
      return true
    }
    return this.list(directory, prefix)
  }

  /** The files that git lists, and those that its rules exclude. */
  private listed(directory: string) {
    return Promise.all([listFiles(directory), listIgnored(directory)])
  }

  /** Adds the files that git lists. @returns false if git fails */
  private async list(
    directory: string,
    prefix: string,
    listed?: Awaited<ReturnType<Collector['listed']>>,
  ): Promise<boolean> {
    const [listing, ignored] = listed ?? (await this.listed(directory))
    if (!listing) return false
    const attributed =
      existsSync(join(directory, '.gitattributes')) || listing.paths.some((path) => path.endsWith('/.gitattributes'))
    const attributes = attributed ? await attributesOf(directory, listing.paths) : new Map<string, FileAttributes>()
    for (const path of ignored) this.skip(prefix + path, 'ignored')
    for (const path of listing.paths) {
      const absolute = join(directory, path)
      if (path.endsWith('/')) {
        if (!(await this.nested(join(directory, path.slice(0, -1)), prefix + path)))
          this.skip(prefix + path, 'unreadable')
        continue
      }
      const status = statusOf(absolute)
      if (listing.submodules.has(path)) {
        if (status === 'gone' || typeof status === 'string' || !existsSync(join(absolute, '.git')))
          this.skip(`${prefix}${path}/`, 'submodule not checked out')
        else if (!(await this.nested(absolute, `${prefix}${path}/`))) this.skip(`${prefix}${path}/`, 'unreadable')
      } else this.take(prefix + path, absolute, status, attributes.get(path))
    }
    return true
  }

  private take(
    path: string,
    absolute: string,
    status: Stats | 'gone' | 'unreadable',
    attributes?: FileAttributes,
  ): void {
    // A name that is not UTF-8 can't be looked up, but exists.
    if (status === 'unreadable' || (status === 'gone' && path.includes('\ufffd'))) {
      this.unreadable.push(path)
      this.skip(path, 'unreadable')
    } else if (status === 'gone') return
    else if (status.isSymbolicLink()) this.skip(path, 'symlink')
    else if (status.isFile()) this.candidates.push({ path, absolute, bytes: status.size, attributes })
  }

  /** Walks a directory outside git, in name order. */
  private async enter(directory: string, prefix: string, outer: readonly Rules[]): Promise<void> {
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined)
    if (!entries) {
      this.complete = false
      this.skip(prefix, 'unreadable')
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
      if (entry.name === '.git') continue
      if (isDirectory && isToolFolder(entry.name)) this.skip(`${path}/`, 'vendored')
      else if (isIgnored(stack, absolute, isDirectory)) this.skip(isDirectory ? `${path}/` : path, 'ignored')
      else if (!isDirectory) this.take(path, absolute, statusOf(absolute))
      else if (!existsSync(join(absolute, '.git')) || !(await this.nested(absolute, `${path}/`)))
        await this.enter(absolute, `${path}/`, stack)
    }
  }
}

function patternFiles(candidates: readonly Candidate[]): PatternFile[] {
  return candidates
    .filter(({ path }) => path === PATTERN_FILE || path.endsWith(`/${PATTERN_FILE}`))
    .map(({ path, absolute }) => ({
      base: path.slice(0, -PATTERN_FILE.length),
      text: readFileSync(absolute, 'utf8'),
    }))
}

/** The outermost vendored directory that contains a path. */
function vendoredIn(path: string, folders: ReadonlySet<string>): string | undefined {
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    const folder = path.slice(0, slash + 1)
    if (folders.has(folder)) return folder
  }
  return undefined
}

/**
 * Finds the files of a folder, ordered by path.
 * @param folder - absolute path, already resolved to a real directory; it is walked even if it is ignored or inside
 *   `node_modules`, because it was requested
 * @param repository - the repository that the folder belongs to, if the caller already knows it
 */
export async function walk(
  folder: string,
  options: WalkOptions,
  repository: Repository | undefined | Promise<Repository | undefined> = repositoryOf(folder),
): Promise<Walk> {
  const collector = new Collector(folder)
  await collector.collect(await repository)
  const { candidates, unreadable } = collector
  const leftOut = new Map(collector.leftOut.map((entry) => [entry.path, entry]))
  const choose = patternsOf(options, patternFiles(candidates))
  const vendored = vendoredFolders(candidates.map(({ path }) => path))
  const files: FoundFile[] = []
  for (const candidate of candidates) {
    const { path, bytes, attributes } = candidate
    const choice = choose(path)
    if (choice === 'elsewhere') continue
    const wanted = choice?.kind === 'wanted' ? (choice.exact ? 'exact' : 'pattern') : undefined
    const reason =
      choice?.kind === 'excluded' ? 'excluded' : reasonOf(candidate, wanted, attributes?.vendored, options.maxFileSize)
    const folderOf = wanted || attributes?.vendored === false ? undefined : vendoredIn(path, vendored)
    if (reason) leftOut.set(path, { path, reason })
    else if (folderOf) {
      const entry = leftOut.get(folderOf) ?? { path: folderOf, reason: 'vendored', files: 0 }
      entry.files = (entry.files ?? 0) + 1
      leftOut.set(folderOf, entry)
    } else files.push({ path, absolute: candidate.absolute, bytes, wanted, attributes })
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files, leftOut: [...leftOut.values()], unreadable, complete: collector.complete }
}

function reasonOf(
  { path, bytes }: Candidate,
  wanted: FoundFile['wanted'],
  vendored: boolean | undefined,
  maxFileSize: number,
): SkipReason | undefined {
  if (bytes === 0) return 'empty'
  const reason = skipByName(path, bytes)
  // A pattern with a wildcard requests a kind of file, not a secret that happens to match it.
  if (reason && (reason === 'secret' ? wanted !== 'exact' : !wanted)) return reason
  if (vendored && !wanted) return 'vendored'
  return bytes > (isCondensed(path) ? MAX_CONDENSED : maxFileSize) ? 'too large' : undefined
}

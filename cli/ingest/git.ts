/**
 * Git's information about a folder: its repository, the listed files, and the attributes for generated and vendored
 * files.
 * @module
 */
import { execFile, spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'

/** Git must not run programs from the repository's configuration, prompt, or take locks. */
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false']
const ENVIRONMENT = { GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
/** Variables that a hook sets, and that would make git use another repository than the folder's. */
const POINTERS = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_OBJECT_DIRECTORY', 'GIT_COMMON_DIR']
const MAX_OUTPUT = 512 * 1024 * 1024
/** If following the history to its root takes longer, the repository is identified only by its remote. */
const ROOT_LIMIT_MS = 5_000

/** A checkout of a repository, and the given folder in it. */
export interface Repository {
  /** Top of the checkout. */
  root: string
  /** Path of the folder below the root, with a trailing `/`; empty at the root. */
  prefix: string
  /** The directory that all worktrees of the repository share. */
  commonDir: string
  /** Whether it is a linked worktree, where `.git` is a file. */
  linked: boolean
  /** URL of the remote `origin`, or of the only remote. */
  remote?: string
}

function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...ENVIRONMENT }
  for (const name of POINTERS) delete env[name]
  return env
}

/** Runs git in a folder. Returns undefined if it fails or is not installed. */
function git(folder: string, args: readonly string[], timeout = 0): Promise<string | undefined> {
  return new Promise((done) => {
    execFile(
      'git',
      ['-C', folder, ...SAFE, ...args],
      { env: environment(), maxBuffer: MAX_OUTPUT, encoding: 'utf8', timeout, windowsHide: true },
      (error, stdout) => done(error ? undefined : stdout),
    )
  })
}

const lines = (text: string | undefined): string[] => (text ?? '').split('\n').filter(Boolean)
const records = (text: string): string[] => text.split('\0').filter(Boolean)

/**
 * The repository of a folder; undefined outside a repository, in a bare one, or if git can't be run or refuses.
 * @param folder - absolute real path
 */
export async function repositoryOf(folder: string): Promise<Repository | undefined> {
  const [places, remotes] = await Promise.all([
    git(folder, ['rev-parse', '--show-toplevel', '--git-dir', '--git-common-dir', '--show-prefix']),
    git(folder, ['config', '--get-regexp', '^remote\\..*\\.url$']),
  ])
  const [top, gitDir, commonDir, prefix = ''] = (places ?? '').split('\n')
  if (!top || !gitDir || !commonDir) return undefined
  const real = (path: string): string => {
    try {
      return realpathSync(resolve(folder, path))
    } catch {
      return resolve(folder, path)
    }
  }
  const urls = lines(remotes).map((line) => /^remote\.(.*)\.url (.*)$/.exec(line))
  const origin = urls.find((match) => match?.[1] === 'origin') ?? (urls.length === 1 ? urls[0] : undefined)
  return {
    root: real(top),
    prefix,
    commonDir: real(commonDir),
    linked: real(gitDir) !== real(commonDir),
    remote: origin?.[2],
  }
}

/** First commits by the repository's common directory: a run needs them repeatedly. */
const roots = new Map<string, Promise<string | undefined>>()

/**
 * The first commit of a repository's history (if there are several roots, the first in alphabetical order); undefined
 * in a shallow clone, before the first commit, or if it takes too long.
 */
export function rootCommit(repository: Repository): Promise<string | undefined> {
  const { commonDir } = repository
  const known = roots.get(commonDir) ?? findRootCommit(repository)
  roots.set(commonDir, known)
  // A repository without commits may have one in the next run of this process.
  known.then((commit) => commit ?? roots.delete(commonDir))
  return known
}

async function findRootCommit(repository: Repository): Promise<string | undefined> {
  const [shallow, roots] = await Promise.all([
    git(repository.root, ['rev-parse', '--is-shallow-repository']),
    git(repository.root, ['rev-list', '--max-parents=0', 'HEAD'], ROOT_LIMIT_MS),
  ])
  return shallow?.trim() === 'false' ? lines(roots).sort()[0] : undefined
}

/** Whether the repository's ignore rules exclude the folder itself. */
export async function isIgnoredFolder(repository: Repository): Promise<boolean> {
  if (repository.prefix === '') return false
  return (await git(repository.root, ['check-ignore', '-q', '--', repository.prefix])) !== undefined
}

/** The result of `git ls-files` in a folder. A nested repository is one entry with a trailing `/`. */
export interface Listing {
  paths: string[]
  /** Gitlinks of the index: submodules, checked out or not. */
  submodules: Set<string>
}

/** Tracked files, and untracked files that are not ignored, relative to the folder; undefined if git fails. */
export async function listFiles(folder: string): Promise<Listing | undefined> {
  const [tracked, others] = await Promise.all([
    git(folder, ['ls-files', '-z', '--cached', '--stage']),
    git(folder, ['ls-files', '-z', '--others', '--exclude-standard']),
  ])
  if (tracked === undefined || others === undefined) return undefined
  const paths = new Set<string>()
  const submodules = new Set<string>()
  for (const entry of records(tracked)) {
    const path = entry.slice(entry.indexOf('\t') + 1)
    paths.add(path)
    if (entry.startsWith('160000 ')) submodules.add(path)
  }
  for (const path of records(others)) paths.add(path)
  return { paths: [...paths].sort(), submodules }
}

/** Ignored files in a folder. A completely ignored directory is one entry. */
export async function listIgnored(folder: string): Promise<string[]> {
  const args = ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory']
  return records((await git(folder, args)) ?? '').sort()
}

/** Attributes that classify a file. */
export interface FileAttributes {
  /** `linguist-generated`, if set or unset. */
  generated?: boolean
  /** `linguist-vendored`, if set or unset. */
  vendored?: boolean
  /** `working-tree-encoding`. */
  encoding?: string
}

const SWITCHES: Record<string, boolean> = { set: true, true: true, unset: false, false: false }

/** Attributes of files from `.gitattributes`. Files without any are omitted. */
export function attributesOf(folder: string, paths: readonly string[]): Promise<Map<string, FileAttributes>> {
  const names = ['linguist-generated', 'linguist-vendored', 'working-tree-encoding']
  return new Promise((done) => {
    const child = spawn('git', ['-C', folder, ...SAFE, 'check-attr', '-z', '--stdin', ...names], {
      env: environment(),
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stdin.on('error', () => undefined)
    child.on('error', () => done(new Map()))
    child.on('close', () => {
      const found = new Map<string, FileAttributes>()
      const fields = Buffer.concat(chunks).toString().split('\0')
      for (let i = 0; i + 2 < fields.length; i += 3) {
        const [path = '', name, value = ''] = fields.slice(i, i + 3)
        if (value === 'unspecified') continue
        const known = found.get(path) ?? {}
        if (name === 'working-tree-encoding') known.encoding = value
        else if (name === 'linguist-generated') known.generated = SWITCHES[value]
        else known.vendored = SWITCHES[value]
        found.set(path, known)
      }
      done(found)
    })
    child.stdin.end(paths.join('\0'))
  })
}

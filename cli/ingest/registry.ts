/**
 * Which folders of this machine have been ingested where: what `npm run sources` compares with, kept in a file of the user's.
 * @module
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** A folder that was ingested from this machine. */
export interface KnownFolder {
  url: string
  project: string
  collection: string
  source: string
  folder: string
  /** When, in milliseconds since 1970. */
  at: number
}

/** The file, in the place that the platform keeps programs' state in. */
function fileOf(env: NodeJS.ProcessEnv): string {
  const base =
    env.XDG_STATE_HOME || (process.platform === 'win32' && env.LOCALAPPDATA) || join(homedir(), '.local/state')
  return join(base, 'hybrid-coordinator', 'sources.json')
}

/** Every folder known; none when the file is not there or can't be read. */
export function knownFolders(env: NodeJS.ProcessEnv = process.env): KnownFolder[] {
  try {
    const value: unknown = JSON.parse(readFileSync(fileOf(env), 'utf8'))
    return Array.isArray(value) ? value.filter((one) => typeof one?.folder === 'string') : []
  } catch {
    return []
  }
}

const sameSource = (a: KnownFolder, b: Omit<KnownFolder, 'folder' | 'at'>): boolean =>
  a.url === b.url && a.project === b.project && a.collection === b.collection && a.source === b.source

function save(folders: readonly KnownFolder[], env: NodeJS.ProcessEnv): void {
  const file = fileOf(env)
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(folders, null, 2)}\n`)
    renameSync(`${file}.${process.pid}`, file)
  } catch {
    // A home that can't be written to: sources are listed without their folders.
  }
}

/** Notes a folder under its source; the one before is forgotten. */
export function rememberFolder(folder: KnownFolder, env: NodeJS.ProcessEnv = process.env): void {
  save([...knownFolders(env).filter((one) => !sameSource(one, folder)), folder], env)
}

/** Forgets the folder of a source. */
export function forgetFolder(source: Omit<KnownFolder, 'folder' | 'at'>, env: NodeJS.ProcessEnv = process.env): void {
  save(
    knownFolders(env).filter((one) => !sameSource(one, source)),
    env,
  )
}

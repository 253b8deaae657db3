/**
 * The ingested folders of this machine and their targets, in a file of the user. `npm run sources` compares with them.
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
  /** Options of the ingestion, if different from the defaults. */
  exclude?: readonly string[]
  maxFileSize?: number
  /** Time of the ingestion, in milliseconds since 1970. */
  at: number
}

/** The folder for this command's state: the platform's location for program state. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base =
    env.XDG_STATE_HOME || (process.platform === 'win32' && env.LOCALAPPDATA) || join(homedir(), '.local/state')
  return join(base, 'hybrid-coordinator')
}

const fileOf = (env: NodeJS.ProcessEnv): string => join(stateFolder(env), 'sources.json')

/** All known folders; empty if the file doesn't exist or can't be read. */
export function knownFolders(env: NodeJS.ProcessEnv = process.env): KnownFolder[] {
  try {
    const value: unknown = JSON.parse(readFileSync(fileOf(env), 'utf8'))
    return Array.isArray(value) ? value.filter((one) => typeof one?.folder === 'string') : []
  } catch {
    return []
  }
}

/** Arguments that ingest a folder like its last run. */
export function argumentsOf({ folder, project, collection, source, url, exclude, maxFileSize }: KnownFolder): string[] {
  const place = ['--project', project, '--collection', collection, '--source', source, '--url', url]
  const patterns = (exclude ?? []).flatMap((pattern) => ['--exclude', pattern])
  return [folder, ...place, ...patterns, ...(maxFileSize === undefined ? [] : ['--max-file-size', String(maxFileSize)])]
}

const sameSource = (a: KnownFolder, b: Pick<KnownFolder, 'url' | 'project' | 'collection' | 'source'>): boolean =>
  a.url === b.url && a.project === b.project && a.collection === b.collection && a.source === b.source

function save(folders: readonly KnownFolder[], env: NodeJS.ProcessEnv): void {
  const file = fileOf(env)
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(folders, null, 2)}\n`)
    renameSync(`${file}.${process.pid}`, file)
  } catch {
    // The home folder is not writable: sources are listed without their folders.
  }
}

/** Records a folder for its source, and replaces an earlier one. */
export function rememberFolder(folder: KnownFolder, env: NodeJS.ProcessEnv = process.env): void {
  save([...knownFolders(env).filter((one) => !sameSource(one, folder)), folder], env)
}

/** Removes the folder of a source. */
export function forgetFolder(
  source: Pick<KnownFolder, 'url' | 'project' | 'collection' | 'source'>,
  env: NodeJS.ProcessEnv = process.env,
): void {
  save(
    knownFolders(env).filter((one) => !sameSource(one, source)),
    env,
  )
}

/**
 * Archives of backups: a compressed tar file with a manifest of the checksums of all its files.
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { create, extract } from 'tar'

/** Checksums of an archive, by path. */
type Manifest = Readonly<Record<string, string>>

const MANIFEST = 'manifest.json'

/** The archive can't be written or read. The message contains the reason. */
export class ArchiveError extends Error {
  override name = 'ArchiveError'
}

/** The name of a new archive, with the time. */
export function usualName(of: string): string {
  return `${of}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.tar.gz`
}

/** @throws ArchiveError if an archive can't be written at this path */
export async function refuseToOverwrite(file: string): Promise<void> {
  if (await exists(file)) throw new ArchiveError(`${file} exists; choose another name.`)
  if (!(await exists(dirname(file)))) throw new ArchiveError(`${dirname(file)} does not exist.`)
}

/**
 * Writes entries of a folder and their manifest to an archive, atomically.
 * @param names files and folders; missing ones are left out
 * @returns the number of files, and the size of the archive in bytes
 * @throws ArchiveError if the file exists
 */
export async function pack(
  file: string,
  folder: string,
  names: readonly string[],
): Promise<{ files: number; bytes: number }> {
  await refuseToOverwrite(file)
  const draft = `${file}.part`
  try {
    const manifest = await checksums(folder, names)
    await writeFile(join(folder, MANIFEST), JSON.stringify(manifest))
    const present = await Promise.all(names.map((name) => exists(join(folder, name))))
    await create({ gzip: true, file: draft, cwd: folder }, [MANIFEST, ...names.filter((_, i) => present[i])])
    await chmod(draft, 0o600)
    await rename(draft, file)
    return { files: Object.keys(manifest).length, bytes: (await stat(file)).size }
  } finally {
    for (const path of [join(folder, MANIFEST), draft]) await rm(path, { force: true })
  }
}

/**
 * Unpacks an archive into an empty folder, and compares every file with its checksum.
 * @throws ArchiveError if the archive is damaged or incomplete
 */
export async function unpack(file: string, folder: string): Promise<void> {
  const damaged = (why: string) => new ArchiveError(`${file} is not a complete backup (${why}); nothing was changed.`)
  try {
    // Links and devices are not allowed in a backup.
    await extract({
      file,
      cwd: folder,
      strict: true,
      filter: (_, entry) => !('type' in entry) || entry.type === 'File' || entry.type === 'Directory',
    })
  } catch (error) {
    throw damaged((error as Error).message)
  }
  const expected = await readFile(join(folder, MANIFEST), 'utf8')
    .then((text) => JSON.parse(text) as Manifest)
    .catch(() => {
      throw damaged('it has no list of its files')
    })
  await rm(join(folder, MANIFEST))
  const found = await checksums(folder, await readdir(folder))
  for (const path of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    if (found[path] === undefined) throw damaged(`${path} is missing`)
    if (found[path] !== expected[path]) throw damaged(`${path} differs`)
  }
}

/** SHA-256 of every file of these entries, by path with slashes. */
async function checksums(folder: string, names: readonly string[]): Promise<Manifest> {
  const manifest: Record<string, string> = {}
  for (const name of names) {
    const top = join(folder, name)
    const kind = await stat(top).catch(() => null)
    if (kind === null) continue
    const entries = kind.isDirectory()
      ? (await readdir(top, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
      : [{ parentPath: folder, name }]
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      const hash = createHash('sha256')
      await pipeline(createReadStream(path), hash)
      manifest[relative(folder, path).split(sep).join('/')] = hash.digest('hex')
    }
  }
  return manifest
}

/** Whether a file or folder exists. */
export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/**
 * Applies edits to files and reverts them. The original content is saved, so that a removal restores it byte for byte.
 * If the file was changed in the meantime, only our part is removed.
 * @module
 */
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { type Edit, isEmpty, UnreadableFileError, withEdit, withoutEdit } from './edits.ts'

/** The saved state of a file. */
interface Memory {
  readonly path: string
  /** Content before the first edit, base64; null: the file didn't exist. */
  readonly original: string | null
  /** SHA-256 of the written content. */
  readonly written: string
  /** Folders created for it, innermost first. */
  readonly folders: readonly string[]
}

/** The user's folder for hook settings. */
export function configFolder(env: NodeJS.ProcessEnv, home: string): string {
  return join(env.XDG_CONFIG_HOME || join(home, '.config'), 'hybrid-coordinator')
}

/** Edits the files of one user. */
export class FileEditor {
  private readonly memories: string

  constructor(env: NodeJS.ProcessEnv, home: string = env.HOME || homedir()) {
    this.memories = join(env.XDG_STATE_HOME || join(home, '.local/state'), 'hybrid-coordinator', 'connections')
  }

  /**
   * Returns the content of the file after the edit, without writing it.
   * @throws UnreadableFileError
   */
  async preview(edit: Edit): Promise<string> {
    return (await this.plan(edit)).next
  }

  /**
   * Applies an edit. Applying it again replaces the earlier one.
   * @returns whether the file changed
   * @throws UnreadableFileError, before anything is written
   */
  async write(edit: Edit): Promise<boolean> {
    const { path, current, base, next, memory } = await this.plan(edit)
    const folders = memory?.folders ?? (await missingFolders(path))
    const value: Memory = {
      path,
      original: base === null ? null : base.toString('base64'),
      written: digest(next),
      folders,
    }
    await mkdir(this.memories, { recursive: true, mode: 0o700 })
    await writeFile(this.memoryPath(path), JSON.stringify(value), { mode: 0o600 })
    if (current?.toString('utf8') === next) return false
    await replaceFile(path, next, current !== null)
    return true
  }

  /**
   * Reverts an edit.
   * @returns whether there was anything to revert
   */
  async remove(edit: Edit): Promise<boolean> {
    const path = await realpath(edit.path).catch(() => edit.path)
    const current = await read(path)
    const memory = await this.recall(path)
    const forget = () => this.forget(path)
    if (current === null) {
      await forget()
      return false
    }
    const untouched = memory !== null && digest(current) === memory.written
    const text = current.toString('utf8')
    const next = untouched
      ? memory.original === null
        ? null
        : Buffer.from(memory.original, 'base64')
      : Buffer.from(withoutEdit(text, edit))
    if (
      next === null ||
      (memory?.original == null && isEmpty(next.toString('utf8'), edit) && (memory !== null || edit.kind === 'file'))
    ) {
      await rm(path)
      for (const folder of memory?.folders ?? []) await rmdir(folder).catch(() => undefined)
    } else if (!next.equals(current)) await replaceFile(path, next, true)
    await forget()
    return next === null || !next.equals(current)
  }

  private async plan(edit: Edit) {
    const path = await realpath(edit.path).catch(() => edit.path)
    const current = await read(path)
    const memory = await this.recall(path)
    const untouched = memory !== null && current !== null && digest(current) === memory.written
    const base = untouched
      ? memory.original === null
        ? null
        : Buffer.from(memory.original, 'base64')
      : current === null || edit.kind === 'file'
        ? current
        : Buffer.from(withoutEdit(current.toString('utf8'), edit))
    const next = withEdit(base?.toString('utf8') ?? '', edit)
    if (edit.kind === 'toml') checkToml(next, path)
    return { path, current, base, next, memory }
  }

  private memoryPath(path: string): string {
    return join(this.memories, `${digest(path).slice(0, 32)}.json`)
  }

  private async recall(path: string): Promise<Memory | null> {
    try {
      return JSON.parse(await readFile(this.memoryPath(path), 'utf8')) as Memory
    } catch {
      return null
    }
  }

  private async forget(path: string): Promise<void> {
    await rm(this.memoryPath(path), { force: true })
    // The last connection also removes our folders.
    for (const folder of [this.memories, dirname(this.memories)]) await rmdir(folder).catch(() => undefined)
  }
}

function checkToml(text: string, path: string): void {
  try {
    parseToml(text)
  } catch (error) {
    throw new UnreadableFileError(
      `${path} is not TOML that a table can be added to (${(error as Error).message.split('\n')[0]})`,
    )
  }
}

async function read(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  })
}

async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = []
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (
      await stat(folder).then(
        () => true,
        () => false,
      )
    )
      return missing
    missing.push(folder)
  }
}

/** Writes a file atomically. Only its owner can read a new file, because it may contain a key. */
async function replaceFile(path: string, content: string | Buffer, exists: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const mode = exists ? (await stat(path)).mode & 0o777 : 0o600
  const next = `${path}.${process.pid}.new`
  await writeFile(next, content, { mode })
  await chmod(next, mode)
  await rename(next, path)
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

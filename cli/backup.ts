/**
 * `dev -- backup` and `dev -- restore`: saves the data of the local coordinator to one file, and restores it.
 * @module
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { create, extract } from 'tar'
import { startInBackground, stopBackground } from './dev/background.ts'
import { lockState, MARK, ownershipOf, readInstance, StateError } from './dev/state.ts'
import { DEFAULT_STATE } from './dev.ts'
import { parseArguments, UsageError } from './shared/args.ts'
import { count, style } from './shared/terminal.ts'

const HELP = `Usage: npm run dev -- backup [file.tar.gz] [options]
       npm run dev -- restore file.tar.gz [options]

Saves the data of the local coordinator to one file: knowledge, interactions, outcomes, learnt models, datasets and keys. A coordinator
in the background is stopped while the data is copied, then started again. Stop one in the foreground yourself.
restore verifies the checksum of every file before it changes anything, and keeps the current data in another folder.
To back up a deployed coordinator, see docs/operate.md.

Options
  --state FOLDER   the data (default: .wrangler/state)
  -h, --help       print this
`

/** Checksums of an archive, by path. */
type Manifest = Readonly<Record<string, string>>

const MANIFEST = 'manifest.json'
/** Saved entries. Logs and locks are not saved. */
const SAVED = ['v3', MARK]

/** Runs `backup` or `restore`, the first argument. Exit codes: 0 done, 1 failed, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      state: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const base = env.INIT_CWD ?? process.cwd()
    const state = values.state ? resolve(base, values.state) : DEFAULT_STATE
    const [command, name, ...more] = positionals
    const restoring = command === 'restore'
    if (more.length > 0) throw new UsageError(`Unexpected argument "${more[0]}".`)
    if (restoring && name === undefined) throw new UsageError('Name the file to restore.')
    const file = resolve(
      base,
      name ?? `hybrid-coordinator-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.tar.gz`,
    )
    const running = await readInstance(state)
    if (running && !running.background)
      throw new StateError('A coordinator runs in a terminal for this folder. Stop it there with Ctrl-C first.')
    await stopBackground(state)
    try {
      process.stdout.write(restoring ? await restore(file, state) : await backup(file, state))
    } finally {
      if (running) process.stdout.write(`Started again: ${(await startInBackground(state, running.port)).base}\n`)
    }
    return 0
  } catch (error) {
    if (error instanceof StateError) {
      process.stderr.write(`${style('red', error.message)}\n`)
      return 1
    }
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run dev -- backup --help\n`)
    return 2
  }
}

/**
 * Writes the archive, atomically.
 * @returns a line for the user
 * @throws StateError
 */
export async function backup(file: string, state: string): Promise<string> {
  if ((await ownershipOf(state)) !== 'ours') throw new StateError(`There is no data of Hybrid Coordinator in ${state}.`)
  if (await exists(file)) throw new StateError(`${file} exists; choose another name.`)
  if (!(await exists(dirname(file)))) throw new StateError(`${dirname(file)} does not exist.`)
  const lock = await lockState(state, 0)
  const draft = `${file}.part`
  try {
    const manifest = await checksums(state)
    await writeFile(join(state, MANIFEST), JSON.stringify(manifest))
    await create({ gzip: true, file: draft, cwd: state }, [MANIFEST, ...SAVED])
    await chmod(draft, 0o600)
    await rename(draft, file)
    const { size } = await stat(file)
    return `${style('green', '✓', process.stdout)} ${file}: ${count(Object.keys(manifest).length)} files, ${(size / 1e6).toFixed(1)} MB\n`
  } finally {
    for (const path of [join(state, MANIFEST), draft]) await rm(path, { force: true })
    await lock.release()
  }
}

/**
 * Replaces the existing data with that of an archive. The existing data is moved aside.
 * @returns lines for the user
 * @throws StateError, before any change, if the archive is damaged or the folder doesn't belong to a coordinator
 */
export async function restore(file: string, state: string): Promise<string> {
  if (!(await exists(file))) throw new StateError(`${file} does not exist.`)
  const owner = await ownershipOf(state)
  if (owner === 'foreign') throw new StateError(`${state} holds other files; nothing was changed. Check --state.`)
  await mkdir(dirname(state), { recursive: true })
  const draft = await mkdtemp(`${state}.restore-`)
  try {
    await extractAll(file, draft)
    const lock = await lockState(state, 0)
    await lock.release()
    const aside = `${state}.before-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`
    await rename(state, aside)
    await rename(draft, state)
    if (owner === 'empty') await rm(aside, { recursive: true })
    const done = `${style('green', '✓', process.stdout)} ${state} is as it was in ${file}.\n`
    return owner === 'empty' ? done : `${done}What was there is in ${aside}.\n`
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** Unpacks an archive and compares every file with its checksum. */
async function extractAll(file: string, folder: string): Promise<void> {
  const damaged = (why: string) => new StateError(`${file} is not a complete backup (${why}); nothing was changed.`)
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
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => {
    throw damaged('it has no list of its files')
  })
  const expected = JSON.parse(text) as Manifest
  await rm(join(folder, MANIFEST))
  const found = await checksums(folder)
  for (const path of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    if (found[path] === undefined) throw damaged(`${path} is missing`)
    if (found[path] !== expected[path]) throw damaged(`${path} differs`)
  }
}

/** SHA-256 of every saved file, by path with slashes. */
async function checksums(state: string): Promise<Manifest> {
  const manifest: Record<string, string> = {}
  for (const name of SAVED) {
    const top = join(state, name)
    const kind = await stat(top).catch(() => null)
    if (kind === null) continue
    const entries = kind.isDirectory()
      ? (await readdir(top, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
      : [{ parentPath: state, name }]
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      const hash = createHash('sha256')
      await pipeline(createReadStream(path), hash)
      manifest[relative(state, path).split(sep).join('/')] = hash.digest('hex')
    }
  }
  return manifest
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/**
 * `dev -- backup` and `dev -- restore`: saves the data of the local coordinator to one file, and restores it.
 * @module
 */
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { startInBackground, stopBackground } from './dev/background.ts'
import { lockState, MARK, ownershipOf, readInstance, StateError } from './dev/state.ts'
import { DEFAULT_STATE } from './dev.ts'
import { ArchiveError, exists, pack, unpack, usualName } from './shared/archive.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
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
    const file = resolve(base, name ?? usualName('hybrid-coordinator'))
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
    if (error instanceof StateError || error instanceof ArchiveError) {
      process.stderr.write(`${style('red', error.message)}\n`)
      return 1
    }
    return reportUsage(error, 'dev -- backup')
  }
}

/**
 * Writes the archive, atomically.
 * @returns a line for the user
 * @throws StateError, ArchiveError
 */
export async function backup(file: string, state: string): Promise<string> {
  if ((await ownershipOf(state)) !== 'ours') throw new StateError(`There is no data of Hybrid Coordinator in ${state}.`)
  const lock = await lockState(state, 0)
  try {
    const { files, bytes } = await pack(file, state, SAVED)
    return `${style('green', '✓', process.stdout)} ${file}: ${count(files)} files, ${(bytes / 1e6).toFixed(1)} MB\n`
  } finally {
    await lock.release()
  }
}

/**
 * Replaces the existing data with that of an archive. The existing data is moved aside.
 * @returns lines for the user
 * @throws ArchiveError, StateError, before any change, if the archive is damaged or the folder doesn't belong to a
 *   coordinator
 */
export async function restore(file: string, state: string): Promise<string> {
  if (!(await exists(file))) throw new ArchiveError(`${file} does not exist.`)
  const owner = await ownershipOf(state)
  if (owner === 'foreign') throw new StateError(`${state} holds other files; nothing was changed. Check --state.`)
  await mkdir(dirname(state), { recursive: true })
  const draft = await mkdtemp(`${state}.restore-`)
  try {
    await unpack(file, draft)
    if ((await ownershipOf(draft)) !== 'ours')
      throw new ArchiveError(`${file} is no backup of a local coordinator; nothing was changed.`)
    const lock = await lockState(state, 0)
    await lock.release()
    const aside = `${state}.before-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`
    await rename(state, aside)
    await rename(draft, state)
    if (owner === 'empty') await rm(aside, { recursive: true })
    const done = `${style('green', '✓', process.stdout)} ${state} is as it was in ${file}.\n`
    return owner === 'empty' ? done : `${done}What was there is in ${aside}.\n`
  } finally {
    // A damaged archive may still be written out.
    await rm(draft, { recursive: true, force: true, maxRetries: 10 })
  }
}

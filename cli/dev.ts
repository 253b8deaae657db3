/**
 * `npm run dev`: the coordinator on this machine, in the foreground or in the background.
 * @module
 */
import { join, resolve } from 'node:path'
import {
  baseOf,
  printLogs,
  startAtBoot,
  startInBackground,
  stopAtBoot,
  stopBackground,
  thisMachine,
} from './dev/background.ts'
import { serve, welcome } from './dev/serve.ts'
import { emptyState, ownershipOf, readInstance, refuseToEmpty, StateError, sizeOf } from './dev/state.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { confirm } from './shared/confirm.ts'
import { style } from './shared/terminal.ts'

const ROOT = join(import.meta.dirname, '..')
const HELP = `Usage: npm run dev -- [command] [options]

Runs the coordinator on this machine with its embedded defaults; source changes are picked up.

Commands
  (none)           run in the foreground until Ctrl-C
  start            start in the background
  stop             stop the one in the background
  status           print whether it runs, and where; exit code 3 when it does not
  logs             print the end of its log; --follow keeps printing
  boot on | off    start it when you sign in (systemd, launchd), or stop doing so
  backup [FILE]    save the local data to a file
  restore FILE     replace the local data with a backup

Options
  --port PORT      default 8787
  --state FOLDER   where the data is (default: .wrangler/state)
  --reset          delete all local data first; asks before
  --yes            don't ask
  --verbose        print every request
  -h, --help       print this
`

/** The default data folder. */
export const DEFAULT_STATE = join(ROOT, '.wrangler/state')

/** Parses `--port`. */
export function parsePort(text: string | undefined): number {
  const port = Number(text ?? '8787')
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`--port must be a number from 1 to 65535, not "${text}".`)
  return port
}

/** Runs the command. Exit codes: 0 done, 1 failed, 2 usage error, 3 (status) not running. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  if (argv[0] === 'backup' || argv[0] === 'restore') return (await import('./backup.ts')).run(argv, env)
  try {
    const { values, positionals } = parseArguments(argv, {
      port: { type: 'string' },
      state: { type: 'string' },
      reset: { type: 'boolean' },
      yes: { type: 'boolean' },
      verbose: { type: 'boolean' },
      follow: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const port = parsePort(values.port)
    // npm runs scripts in the package's folder; INIT_CWD is the user's folder.
    const state = values.state ? resolve(env.INIT_CWD ?? process.cwd(), values.state) : DEFAULT_STATE
    const [command = 'serve', argument, ...more] = positionals
    if (more.length > 0 || (argument !== undefined && command !== 'boot'))
      throw new UsageError(`Unexpected argument "${more[0] ?? argument}".`)
    if (values.reset) {
      if (command !== 'serve' && command !== 'start')
        throw new UsageError('--reset is only valid when you start the coordinator.')
      if (!(await reset(state, values.yes ?? false))) return 1
    }
    switch (command) {
      case 'serve':
        return await serve({ port, state, verbose: values.verbose ?? false })
      case 'start': {
        const { base, started } = await startInBackground(state, port)
        process.stdout.write(started ? welcome(base, state) : `A coordinator already runs at ${base}.\n`)
        return 0
      }
      case 'stop': {
        const ended = await stopBackground(state)
        process.stdout.write(ended ? `Stopped (${baseOf(ended)}).\n` : 'No coordinator runs for this folder.\n')
        return 0
      }
      case 'status':
        return await status(state)
      case 'logs':
        await printLogs(state, values.follow ?? false, process.stdout)
        return 0
      case 'boot':
        return await boot(argument, state, port, env)
      default:
        throw new UsageError(`There is no "${command}".`)
    }
  } catch (error) {
    if (error instanceof StateError) {
      process.stderr.write(`${style('red', error.message)}\n`)
      return 1
    }
    return reportUsage(error, 'dev --')
  }
}

/** Deletes the data after a confirmation. Returns false if the user declined. */
async function reset(state: string, yes: boolean): Promise<boolean> {
  await refuseToEmpty(state)
  if ((await ownershipOf(state)) === 'ours' && !yes) {
    const megabytes = ((await sizeOf(state)) / 1e6).toFixed(1)
    const answer = await confirm(`Delete all data in ${state} (${megabytes} MB)?`)
    if (answer === null) throw new StateError(`--reset would delete ${megabytes} MB in ${state}. Add --yes to confirm.`)
    if (!answer) {
      process.stderr.write('Nothing was deleted.\n')
      return false
    }
  }
  await emptyState(state)
  return true
}

async function status(state: string): Promise<number> {
  const running = await readInstance(state)
  if (!running) {
    process.stdout.write(`Not running. Data: ${state}\nStart it with npm run dev -- start\n`)
    return 3
  }
  const base = baseOf(running)
  const health = await fetch(`${base}/health`, { signal: AbortSignal.timeout(10_000) }).then(
    async (answer) => ((await answer.json()) as { status?: string }).status ?? `HTTP ${answer.status}`,
    (error: Error) => `no answer (${error.message})`,
  )
  const megabytes = ((await sizeOf(state)) / 1e6).toFixed(1)
  const since = new Date(running.startedAt).toISOString().slice(0, 16).replace('T', ' ')
  process.stdout.write(
    `Running at ${base}, health: ${health}\nSince ${since} UTC, process ${running.pid}\nData: ${state} (${megabytes} MB)\n`,
  )
  return 0
}

async function boot(
  argument: string | undefined,
  state: string,
  port: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const world = thisMachine(env)
  if (argument === 'on') {
    const path = await startAtBoot(state, port, world)
    process.stdout.write(`The coordinator starts when you sign in (${path}).\n`)
  } else if (argument === 'off') {
    const path = await stopAtBoot(state, port, world)
    process.stdout.write(`The coordinator no longer starts when you sign in (${path} is gone).\n`)
  } else throw new UsageError('Use boot on or boot off.')
  return 0
}

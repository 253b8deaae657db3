/**
 * `connect`: puts the coordinator's hooks into Claude Code's settings, and takes them out again.
 * @module
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { withHooks, withoutHooks } from './connect/claude-settings.ts'
import { parseArguments, parseUrl, UsageError } from './shared/args.ts'
import { style } from './shared/terminal.ts'

const HELP = `Usage: npm run connect -- claude-code [options]

Lets Claude Code augment every prompt and track every answer by itself, through its hooks. Writes to the settings file of one
folder (.claude/settings.local.json, which Claude Code keeps out of git), or with --user to that of all folders
(~/.claude/settings.json). What else stands there is kept. Running it again changes the values.

Options
  --dir FOLDER      folder in which Claude Code is started (default: this one)
  --user            for all folders
  --url URL         the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY         API key with the scopes read, write and learn (default: HYBRID_API_KEY); it is written into the file
  --project NAME    project (default: default)
  --remove          take the hooks and their variables out again
  -h, --help        print this
`

const HOOK = join(import.meta.dirname, '../integrations/hooks/hook.mjs')

/** Runs the command. Exit codes: 0 done, 1 the settings file can't be used, 2 called wrongly. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      dir: { type: 'string' },
      user: { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      project: { type: 'string' },
      remove: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (positionals.length !== 1 || positionals[0] !== 'claude-code')
      throw new UsageError('say what to connect: claude-code')
    if (values.user && values.dir !== undefined) throw new UsageError('--user and --dir exclude each other')
    // npm runs scripts in the package's folder; INIT_CWD is where the person stands.
    const folder = resolve(env.INIT_CWD ?? process.cwd(), values.dir ?? '.')
    const path = values.user
      ? join(env.HOME || homedir(), '.claude/settings.json')
      : join(folder, '.claude/settings.local.json')
    const before = await readSettings(path)
    if (before === null) {
      process.stderr.write(
        `${style('red', `${path} is not a JSON object.`)}\nCorrect it, then run this again; nothing was changed.\n`,
      )
      return 1
    }
    const key = values.key || env.HYBRID_API_KEY
    const after = values.remove
      ? withoutHooks(before, HOOK)
      : withHooks(before, HOOK, {
          HYBRID_URL: parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), '--url'),
          ...(key && { HYBRID_API_KEY: key }),
          HYBRID_PROJECT: values.project ?? 'default',
        })
    await writeSettings(path, after)
    process.stdout.write(
      values.remove
        ? `Claude Code no longer asks the coordinator (${path}).\n`
        : `Claude Code asks ${after.env?.HYBRID_URL} before each prompt and tracks each answer (${path}).\nStart a new session to use it.\n`,
    )
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run connect -- --help\n`)
    return 2
  }
}

async function readSettings(path: string): Promise<Record<string, unknown> | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

/** Writes the whole file or nothing; it may hold a key, so only its owner can read it. */
async function writeSettings(path: string, value: unknown): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

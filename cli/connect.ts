/**
 * `connect`: adds the coordinator to the configuration of a coding agent, and removes it again.
 * @module
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { checkConnection } from './connect/check.ts'
import { CLIENTS, type Client, type Connection, hookVariables, printable } from './connect/clients.ts'
import type { Edit } from './connect/edits.ts'
import { UnreadableFileError } from './connect/edits.ts'
import { configFolder, FileEditor } from './connect/files.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { TARGET_OPTIONS, TargetError, targetOf } from './shared/target.ts'
import { plural, style } from './shared/terminal.ts'

const HELP = `Usage: npm run connect -- <agent> [options]
       npm run connect -- --print [options]

Connects a coding agent: ${Object.keys(CLIENTS).join(', ')}.
Agents with hooks (Claude Code, Codex, Gemini CLI, OpenCode) get the knowledge that each prompt needs by themselves, and their answers
are tracked. Cursor and VS Code get the MCP tools and a file of instructions; Claude Desktop gets the tools. Everything else in the
files is kept. The connection is tried first; when it does not work, nothing is written. Running it again changes the values.

Options
  --dir FOLDER      folder in which the agent is started (default: this one)
  --user            for all folders
  --url URL         the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY         API key with the scopes read, write and learn (default: HYBRID_API_KEY); it is written into a file
  --project NAME    project (default: default)
  --tools           give agents with hooks the MCP tools too
  --print           print the configuration for any other agent instead of writing one
  --remove          take everything out again
  -h, --help        print this
`

const OPTIONS = {
  dir: { type: 'string' },
  user: { type: 'boolean' },
  ...TARGET_OPTIONS,
  tools: { type: 'boolean' },
  print: { type: 'boolean' },
  remove: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Runs the command. Exit codes: 0 done, 1 the connection or a file is unusable, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, OPTIONS)
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const [name, ...more] = positionals
    const client = name !== undefined && Object.hasOwn(CLIENTS, name) ? CLIENTS[name] : undefined
    if (more.length > 0) throw new UsageError(`Connect one agent at a time, not also "${more[0]}".`)
    if (!client && !(values.print && name === undefined))
      throw new UsageError(`Choose an agent: ${Object.keys(CLIENTS).join(', ')}; or --print for other clients.`)
    if (values.user && values.dir !== undefined) throw new UsageError('--user and --dir exclude each other.')
    // npm runs scripts in the package's folder; INIT_CWD is the user's folder.
    const folder = values.user || client?.userOnly ? null : resolve(env.INIT_CWD ?? process.cwd(), values.dir ?? '.')
    const connection = connectionOf(name ?? 'other', folder, env, {
      ...targetOf(values, env),
      tools: values.tools ?? false,
    })
    if (values.remove) {
      if (!client) throw new UsageError('Name the agent to disconnect.')
      return await remove(client, connection, env)
    }
    if (folder !== null && !(await isFolder(folder))) throw new UsageError(`${folder} is not a folder.`)
    const { items } = await checkConnection(connection, connection.tools || client?.automatic !== 'hooks')
    if (values.print || !client) {
      process.stdout.write(await printed(client, connection, env))
      return 0
    }
    await connect(client, connection, env)
    process.stdout.write(summary(client, connection, items))
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'connect --')
    if (error instanceof TargetError || error instanceof UnreadableFileError) {
      const fix = error instanceof TargetError ? error.fix : 'Correct it, then run this again.'
      process.stderr.write(`${style('red', error.message)}\n${fix}\nNothing was changed.\n`)
      return 1
    }
    throw error
  }
}

/** Completes a connection with values from this machine. */
export function connectionOf(
  client: string,
  folder: string | null,
  env: NodeJS.ProcessEnv,
  target: Pick<Connection, 'url' | 'key' | 'project' | 'tools'>,
): Connection {
  const home = env.HOME || env.USERPROFILE || homedir()
  const scope = folder === null ? 'user' : createHash('sha256').update(folder).digest('hex').slice(0, 12)
  return {
    ...target,
    folder,
    home,
    env,
    platform: process.platform,
    settingsFile: join(configFolder(env, home), `${client}-${scope}.json`),
  }
}

/**
 * Writes all files of a connection, or none.
 * @throws UnreadableFileError, TargetError if a key would be committed to a repository
 */
export async function connect(client: Client, connection: Connection, env: NodeJS.ProcessEnv): Promise<void> {
  const editor = new FileEditor(env, connection.home)
  const edits = client.edits(connection)
  for (const edit of edits) {
    await editor.preview(edit)
    if (edit.holdsKey && connection.key !== undefined && connection.folder !== null)
      await refuseToCommitKey(edit, connection.folder)
  }
  if (client.automatic === 'hooks') {
    await mkdir(dirname(connection.settingsFile), { recursive: true, mode: 0o700 })
    await writeFile(connection.settingsFile, `${JSON.stringify(hookVariables(connection), null, 2)}\n`, { mode: 0o600 })
  }
  for (const edit of edits) await editor.write(edit)
}

async function remove(client: Client, connection: Connection, env: NodeJS.ProcessEnv): Promise<number> {
  const editor = new FileEditor(env, connection.home)
  const changed: string[] = []
  // Independent of the options of the connection: also looks for tools. The first edit created the folders, so it is
  // reverted last.
  for (const edit of client.edits({ ...connection, tools: true }).reverse()) {
    if (await editor.remove(edit)) changed.push(edit.path)
  }
  await rm(connection.settingsFile, { force: true })
  await forgetSessions(basename(connection.settingsFile).replace(/-[^-]+$/, ''), connection)
  await rmdir(dirname(connection.settingsFile)).catch(() => undefined)
  process.stdout.write(
    changed.length > 0
      ? `${client.title} no longer asks the coordinator. Changed back:\n${changed.map((path) => `  ${path}\n`).join('')}`
      : `${client.title} was not connected here.\n`,
  )
  return 0
}

/** Removes the session data of an agent's hooks when none of its connections is left. */
async function forgetSessions(name: string, { settingsFile, env, home }: Connection): Promise<void> {
  const others = await readdir(dirname(settingsFile)).catch(() => [])
  if (others.some((file) => file.startsWith(`${name}-`))) return
  const folder = join(env.XDG_CACHE_HOME || join(home, '.cache'), 'hybrid-coordinator')
  await rm(join(folder, name), { recursive: true, force: true })
  await rmdir(folder).catch(() => undefined)
}

/** Agents that are used on this machine, by name. */
export async function findClients(env: NodeJS.ProcessEnv, home: string = env.HOME || homedir()): Promise<string[]> {
  const found: string[] = []
  const path = (env.PATH ?? '').split(process.platform === 'win32' ? ';' : ':').filter((folder) => folder !== '')
  for (const [name, { signs, program }] of Object.entries(CLIENTS)) {
    const places = [
      ...signs.map((sign) => join(home, sign)),
      ...(program ? path.map((folder) => join(folder, process.platform === 'win32' ? `${program}.cmd` : program)) : []),
    ]
    for (const place of places) {
      if (!(await stat(place).catch(() => null))) continue
      found.push(name)
      break
    }
  }
  return found
}

/** A key in a file that git would commit would be disclosed. */
async function refuseToCommitKey({ path }: Edit, folder: string): Promise<void> {
  const ignored = await new Promise<number | string | null>((done) => {
    execFile('git', ['-C', folder, 'check-ignore', '-q', path], (error) => done(error ? (error.code ?? null) : 0))
  })
  // 0: ignored; 128, or git is not installed: not a repository.
  if (ignored !== 1) return
  const root = await new Promise<string>((done) => {
    execFile('git', ['-C', folder, 'rev-parse', '--show-toplevel'], (_, out) => done(out.trim()))
  })
  const name = relative(root, path) || basename(path)
  throw new TargetError(
    `git would commit the API key with ${path}.`,
    `Put ${name} into .gitignore, or connect for all folders with --user.`,
  )
}

async function printed(client: Client | undefined, connection: Connection, env: NodeJS.ProcessEnv): Promise<string> {
  if (!client) return printable(connection)
  const editor = new FileEditor(env, connection.home)
  const parts = await Promise.all(
    client.edits(connection).map(async (edit) => `${edit.path}\n\n${(await editor.preview(edit)).trimEnd()}\n`),
  )
  return parts.join('\n')
}

function summary(client: Client, connection: Connection, items: number): string {
  const { url, project } = connection
  const what =
    client.automatic === 'hooks'
      ? 'Each prompt gets the knowledge that it needs, and each answer is tracked.'
      : client.automatic === 'instructions'
        ? 'It has the tools, and instructions to use them.'
        : 'It has the tools.'
  const files = client.edits(connection).map(({ path }) => `  ${path}\n`)
  const empty = `  Ingest a folder: npm run ingest -- <folder> --url ${url} --project ${project}\n`
  return [
    `${style('green', '✓')} ${client.title} is connected to ${url}, project ${project}: ${plural(items, 'item')}.\n`,
    items === 0 ? empty : '',
    `${what}\n`,
    ...files,
    `${client.next}\n`,
  ].join('')
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

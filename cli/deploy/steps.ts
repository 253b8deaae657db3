/**
 * The repeatable steps of a deployment, and their interface to the outside world.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { style } from '../shared/terminal.ts'
import type { Plan } from './plan.ts'

/** Default name of the Worker and its resources. */
const USUAL_NAME = 'hybrid-coordinator'

/** The output and exit code of a command. */
export interface Finished {
  readonly code: number
  /** Everything that it printed. */
  readonly output: string
  /** What it printed to standard output. Missing: the same. */
  readonly result?: string
}

/** A deployment's interface to the outside world. */
export interface World {
  /** Runs wrangler with arguments, and text on its standard input. */
  wrangler(args: readonly string[], input?: string): Promise<Finished>
  fetch(url: string, headers?: Record<string, string>): Promise<{ status: number; body: string }>
  /** Writes a configuration next to wrangler.toml, because its paths are relative. */
  writeConfig(file: string, toml: string): Promise<void>
  pause(milliseconds: number): Promise<unknown>
  print(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A step failed. The message names the step and contains wrangler's output. */
export class StepError extends Error {
  override name = 'StepError'
}

/** File of the deployed configuration. Not committed, because it contains the id of an account's database. */
export function configFile({ worker }: Plan): string {
  return worker === USUAL_NAME ? 'wrangler.deployed.toml' : `wrangler.deployed-${worker}.toml`
}

/** wrangler's plain `whoami` succeeds even when signed out; with --json it fails. */
export async function signIn(world: World): Promise<void> {
  const { code, output } = await world.wrangler(['whoami', '--json'])
  const user = jsonIn<{ loggedIn?: boolean; accounts?: { id: string; name: string }[] }>(output, '{')
  if (user?.loggedIn === false)
    throw new StepError('You are not signed in to Cloudflare. Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.')
  if (code !== 0 || user === null)
    throw new StepError(
      `Sign-in failed: wrangler whoami --json\n${output.trim()}\nCheck the network and CLOUDFLARE_API_TOKEN.`,
    )
  const accounts = user.accounts ?? []
  const chosen = world.env.CLOUDFLARE_ACCOUNT_ID
  if (accounts.length > 1 && !chosen) {
    const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n')
    throw new StepError(`You have several accounts. Set CLOUDFLARE_ACCOUNT_ID to one of them:\n${list}`)
  }
  if (chosen && accounts.length > 0 && !accounts.some(({ id }) => id === chosen))
    throw new StepError(
      `CLOUDFLARE_ACCOUNT_ID names an account that you can't use (${accounts.map(({ id }) => id).join(', ')}).`,
    )
  const account = accounts.find(({ id }) => id === chosen) ?? accounts[0]
  world.print(`${style('green', '✓')} Sign-in${account ? ` (account ${account.name})` : ''}\n`)
}

/** The command that restores the current state of the database; null if Cloudflare doesn't provide one. */
export async function undoLine(plan: Plan, world: World): Promise<string | null> {
  const configured = ['--config', configFile(plan)]
  const { code, output } = await world.wrangler([
    'd1',
    'time-travel',
    'info',
    plan.database.binding,
    '--json',
    ...configured,
  ])
  const bookmark = code === 0 ? jsonIn<{ bookmark?: string }>(output, '{')?.bookmark : undefined
  if (bookmark === undefined) {
    world.print(
      `${style('yellow', '!')} D1 Time Travel gave no bookmark; the database can be taken back by time: ${new Date().toISOString()}\n`,
    )
    return null
  }
  world.print(`${style('green', '✓')} D1 Time Travel bookmark ${bookmark}\n`)
  return `npx wrangler d1 time-travel restore ${plan.database.binding} --bookmark=${bookmark} ${configured.join(' ')}`
}

/** The JSON value in a command's output, which may contain other text; null: none. */
export function jsonIn<T>(output: string, open: '{' | '['): T | null {
  const start = output.indexOf(open)
  const end = output.lastIndexOf(open === '{' ? '}' : ']')
  if (start < 0 || end < start) return null
  try {
    return JSON.parse(output.slice(start, end + 1)) as T
  } catch {
    return null
  }
}

export async function must(world: World, step: string, args: readonly string[], hint = ''): Promise<string> {
  const { code, output } = await world.wrangler(args)
  if (code !== 0) throw new StepError(`${step} failed: wrangler ${args.join(' ')}\n${output.trim()}\n${hint}`.trimEnd())
  world.print(`${style('green', '✓')} ${step}\n`)
  return output
}

/**
 * Creates a resource that isn't found. If it exists after all, that is not an error: it was created concurrently, or
 * can't be listed.
 */
export async function make(
  world: World,
  step: string,
  find: readonly string[],
  create: readonly string[],
): Promise<void> {
  if ((await world.wrangler(find)).code === 0) {
    world.print(`${style('green', '✓')} ${step} (exists)\n`)
    return
  }
  const { code, output } = await world.wrangler(create)
  if (code !== 0 && !/already (?:exists|taken|own)/i.test(output)) {
    throw new StepError(`${step} failed: wrangler ${create.join(' ')}\n${output.trim()}`)
  }
  world.print(`${style('green', '✓')} ${step} (${code === 0 ? 'created' : 'exists'})\n`)
}

/** The id of the plan's database in the account; undefined: there is none. */
export async function findDatabaseId({ database }: Plan, world: World): Promise<string | undefined> {
  const step = `D1 database ${database.name}`
  const databases = await listed<{ name: string; uuid: string }>(world, step, ['d1', 'list', '--json'])
  return databases.find(({ name }) => name === database.name)?.uuid
}

/** Finds or creates the database. */
export async function databaseId(plan: Plan, made: { database: boolean }, world: World): Promise<string> {
  const { database } = plan
  const step = `D1 database ${database.name}`
  const existing = await findDatabaseId(plan, world)
  if (existing !== undefined) {
    world.print(`${style('green', '✓')} ${step} (exists)\n`)
    return existing
  }
  await create(world, step, ['d1', 'create', database.name])
  const id = await findDatabaseId(plan, world)
  if (id === undefined) throw new StepError(`${step} failed: wrangler d1 list does not name it`)
  made.database = true
  return id
}

/** Finds the namespace by its title, which is unique in an account. */
export async function namespaceId(title: string, world: World): Promise<string> {
  const step = `KV namespace ${title}`
  const find = async () =>
    (await listed<{ id: string; title: string }>(world, step, ['kv', 'namespace', 'list'])).find(
      (namespace) => namespace.title === title,
    )?.id
  const existing = await find()
  if (existing !== undefined) {
    world.print(`${style('green', '✓')} ${step} (exists)\n`)
    return existing
  }
  await create(world, step, ['kv', 'namespace', 'create', title])
  const id = await find()
  if (id === undefined) throw new StepError(`${step} failed: wrangler kv namespace list does not name it`)
  return id
}

/**
 * The entries of a list command.
 * @throws StepError if it fails or can't be parsed, because only a complete list shows that something doesn't exist
 */
async function listed<T>(world: World, step: string, args: readonly string[]): Promise<T[]> {
  const { code, output, result = output } = await world.wrangler(args)
  const list = code === 0 ? jsonIn<T[]>(result, '[') : null
  if (!Array.isArray(list)) throw new StepError(`${step} failed: wrangler ${args.join(' ')}\n${output.trim()}`)
  return list
}

async function create(world: World, step: string, args: readonly string[]): Promise<void> {
  const { code, output } = await world.wrangler(args)
  if (code !== 0) throw new StepError(`${step} failed: wrangler ${args.join(' ')}\n${output.trim()}`)
  world.print(`${style('green', '✓')} ${step} (created)\n`)
}

/** The key, if known, and whether it was created, or at least set, in this run. */
export interface AdminKey {
  readonly known: string | null
  readonly made: boolean
  readonly set: boolean
}

/** Sets a key only if a readable list shows that none is set: replacing a key breaks all clients. */
export async function adminKey(plan: Plan, world: World): Promise<AdminKey> {
  const step = 'Secret HYBRID_API_KEY'
  const given = world.env.HYBRID_API_KEY || null
  const secrets = await listed<{ name: string }>(world, step, ['secret', 'list', '--name', plan.worker])
  if (secrets.some(({ name }) => name === 'HYBRID_API_KEY')) {
    world.print(`${style('green', '✓')} ${step} (kept)\n`)
    return { known: given, made: false, set: false }
  }
  const key = given ?? randomBytes(32).toString('base64url')
  const put = await world.wrangler(['secret', 'put', 'HYBRID_API_KEY', '--name', plan.worker], key)
  if (put.code !== 0) throw new StepError(`${step} failed\n${put.output.trim()}`)
  world.print(`${style('green', '✓')} ${step} (set)\n`)
  return { known: key, made: given === null, set: true }
}

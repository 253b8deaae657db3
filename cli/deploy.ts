/**
 * `npm run deploy`: makes what the Worker needs in the account, deploys it and checks that it answers.
 * @module
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describePlan, type Plan, planOf, type WorkerConfig, withIds } from './deploy/plan.ts'
import { parseArguments, UsageError } from './shared/args.ts'
import { style } from './shared/terminal.ts'

const ROOT = join(import.meta.dirname, '..')
/** Written beside wrangler.toml, because its paths are relative; not committed, because it names an account's database. */
const DEPLOYED_CONFIG = 'wrangler.deployed.toml'

const HELP = `Usage: npm run deploy -- [options]

Makes the D1 database, KV namespace, queues and R2 bucket, applies the migrations, deploys the Worker, sets its admin key, checks that it
answers and prints its MCP URL. What exists is kept, so it can be run again at any time; that is also how to upgrade.

Options
  --dry-run      print the plan, build the Worker and check its bindings; needs no account and changes nothing
  -h, --help     print this

Environment
  HYBRID_API_KEY         admin key to set when the Worker has none; left out: a random one is made and shown once
  CLOUDFLARE_API_TOKEN   instead of \`npx wrangler login\`
`

/** What a command printed, and its exit code. */
export interface Finished {
  readonly code: number
  readonly output: string
}

/** What a deployment reaches the world through. */
export interface World {
  /** Runs wrangler with arguments, and text for its standard input. */
  wrangler(args: readonly string[], input?: string): Promise<Finished>
  fetch(url: string, headers?: Record<string, string>): Promise<{ status: number; body: string }>
  writeConfig(toml: string): Promise<void>
  pause(milliseconds: number): Promise<unknown>
  print(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A step went wrong; the message says which and what wrangler printed. */
class StepError extends Error {
  override name = 'StepError'
}

/** Runs the command. Exit codes: 0 done, 1 a step failed, 2 called wrongly. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (positionals.length > 0) throw new UsageError(`there is no ${positionals[0]}`)
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { unstable_readConfig: readConfig } = await import('wrangler')
    const config = readConfig({ config: join(ROOT, 'wrangler.toml') }) as WorkerConfig
    const plan = planOf(config, await readdir(join(ROOT, 'migrations')))
    const world = realWorld()
    return values['dry-run']
      ? await dryRun(plan, world)
      : await deploy(plan, await readFile(join(ROOT, 'wrangler.toml'), 'utf8'), world)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run deploy -- --help\n`)
    return 2
  }
}

/** Prints the plan and lets wrangler build the Worker and resolve its bindings. */
export async function dryRun(plan: Plan, world: World): Promise<number> {
  world.print(`The plan:\n${describePlan(plan)}\n`)
  const { code, output } = await world.wrangler(['deploy', '--dry-run'])
  world.print(output)
  world.print(
    code === 0
      ? 'The Worker builds and its bindings are complete. Nothing was changed.\n'
      : 'The Worker does not build.\n',
  )
  return code === 0 ? 0 : 1
}

/** Carries the plan out. Every step may be repeated. */
export async function deploy(plan: Plan, toml: string, world: World): Promise<number> {
  try {
    await must(world, 'Sign-in', ['whoami'], 'Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.')
    const id = plan.database.id ?? (await databaseId(plan, world))
    const kv = plan.kv && (plan.kv.id ?? (await namespaceId(plan.kv.title, world)))
    await world.writeConfig(withIds(toml, { database: id, kv }))
    const configured = ['--config', DEPLOYED_CONFIG]
    for (const queue of plan.queues)
      await make(world, `Queue ${queue}`, ['queues', 'info', queue], ['queues', 'create', queue])
    for (const bucket of plan.buckets) {
      await make(world, `R2 bucket ${bucket}`, ['r2', 'bucket', 'info', bucket], ['r2', 'bucket', 'create', bucket])
    }
    await must(world, 'Migrations', ['d1', 'migrations', 'apply', plan.database.binding, '--remote', ...configured])
    const uploaded = await must(world, `Worker ${plan.worker}`, ['deploy', ...configured])
    const key = await adminKey(plan, world)
    const url = /https:\/\/[\w.-]+\.workers\.dev/.exec(uploaded)?.[0] ?? world.env.HYBRID_URL?.replace(/\/+$/, '')
    if (url === undefined) {
      world.print('Deployed. Its address is not a workers.dev one: set HYBRID_URL to have it checked.\n')
      return 0
    }
    await checkHealth(url, key.known, world)
    printResult(url, key, world)
    return 0
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    world.print(
      `${style('red', error.message)}\nNothing that was made is lost; run it again when the cause is mended.\n`,
    )
    return 1
  }
}

async function must(world: World, step: string, args: readonly string[], hint = ''): Promise<string> {
  const { code, output } = await world.wrangler(args)
  if (code !== 0) throw new StepError(`${step} failed: wrangler ${args.join(' ')}\n${output.trim()}\n${hint}`.trimEnd())
  world.print(`${style('green', '✓')} ${step}\n`)
  return output
}

/** Creates what isn't found. That it exists after all is no error: somebody was quicker, or it may not be listed. */
async function make(world: World, step: string, find: readonly string[], create: readonly string[]): Promise<void> {
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

async function databaseId({ database }: Plan, world: World): Promise<string> {
  const step = `D1 database ${database.name}`
  await make(world, step, ['d1', 'info', database.name], ['d1', 'create', database.name])
  const { code, output } = await world.wrangler(['d1', 'list', '--json'])
  const start = output.indexOf('[')
  const list = code === 0 && start >= 0 ? (JSON.parse(output.slice(start)) as { name: string; uuid: string }[]) : []
  const id = list.find(({ name }) => name === database.name)?.uuid
  if (id === undefined) throw new StepError(`${step} failed: wrangler d1 list does not name it\n${output.trim()}`)
  return id
}

/** Found by its title, which an account has once. */
async function namespaceId(title: string, world: World): Promise<string> {
  const step = `KV namespace ${title}`
  const find = async () => {
    const { code, output } = await world.wrangler(['kv', 'namespace', 'list'])
    const start = output.indexOf('[')
    const list = code === 0 && start >= 0 ? (JSON.parse(output.slice(start)) as { id: string; title: string }[]) : []
    return list.find((namespace) => namespace.title === title)?.id
  }
  const existing = await find()
  if (existing !== undefined) {
    world.print(`${style('green', '✓')} ${step} (exists)\n`)
    return existing
  }
  const { code, output } = await world.wrangler(['kv', 'namespace', 'create', title])
  const id = code === 0 ? await find() : undefined
  if (id === undefined) throw new StepError(`${step} failed: wrangler kv namespace create ${title}\n${output.trim()}`)
  world.print(`${style('green', '✓')} ${step} (created)\n`)
  return id
}

/** The key, if it is known, and whether it was made just now. */
interface AdminKey {
  readonly known: string | null
  readonly made: boolean
}

async function adminKey(plan: Plan, world: World): Promise<AdminKey> {
  const given = world.env.HYBRID_API_KEY || null
  const { code, output } = await world.wrangler(['secret', 'list', '--name', plan.worker])
  if (code === 0 && /"HYBRID_API_KEY"/.test(output)) {
    world.print(`${style('green', '✓')} Secret HYBRID_API_KEY (kept)\n`)
    return { known: given, made: false }
  }
  const key = given ?? randomBytes(32).toString('base64url')
  const put = await world.wrangler(['secret', 'put', 'HYBRID_API_KEY', '--name', plan.worker], key)
  if (put.code !== 0) throw new StepError(`Secret HYBRID_API_KEY failed\n${put.output.trim()}`)
  world.print(`${style('green', '✓')} Secret HYBRID_API_KEY (set)\n`)
  return { known: key, made: given === null }
}

/** A new address takes a while to be known everywhere. */
const ATTEMPTS = 20
const PAUSE_MS = 3000

async function checkHealth(url: string, key: string | null, world: World): Promise<void> {
  let last = 'no answer'
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await world.pause(PAUSE_MS)
    try {
      const health = await world.fetch(`${url}/health`)
      const refused = await world.fetch(`${url}/collections`)
      const served = key === null ? null : await world.fetch(`${url}/collections`, { 'X-API-Key': key })
      last = `/health ${health.status}, without a key ${refused.status}, with the key ${served?.status ?? 'not tried'}`
      if (health.status === 200 && refused.status === 401 && (served === null || served.status === 200)) {
        const { status } = JSON.parse(health.body) as { status: string }
        if (status !== 'ok') throw new StepError(`The Worker runs, but its health is "${status}": ${health.body}`)
        world.print(`${style('green', '✓')} Health check (${last})\n`)
        return
      }
    } catch (error) {
      if (error instanceof StepError) throw error
      last = error instanceof Error ? error.message : String(error)
    }
  }
  throw new StepError(
    `The deployed Worker does not answer as it should: ${last}\nSee its log with \`npx wrangler tail\`.`,
  )
}

function printResult(url: string, { known, made }: AdminKey, world: World): void {
  const shown = made && known !== null ? known : '<HYBRID_API_KEY>'
  world.print(`
${style('bold', `MCP URL: ${url}/mcp`)}
${made ? `Admin key, shown only now: ${known}\n` : ''}
Claude Code:  claude mcp add --transport http hybrid-coordinator ${url}/mcp --header "X-API-Key: ${shown}"
A key of less power for each agent:  npm run keys -- create --url ${url} --name my-agent --scopes read,write,learn
Back to the version before:  npx wrangler rollback --config ${DEPLOYED_CONFIG}
`)
}

function realWorld(): World {
  const binary = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  return {
    wrangler: (args, input) => start(process.execPath, [binary, ...args], input),
    async fetch(url, headers = {}) {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(20_000) })
      return { status: response.status, body: await response.text() }
    },
    writeConfig: (toml) => writeFile(join(ROOT, DEPLOYED_CONFIG), toml),
    pause: (milliseconds) => sleep(milliseconds),
    print: (text) => void process.stdout.write(text),
    env: process.env,
  }
}

/** Secrets go in by standard input, never as an argument, which every process of the machine could read. */
function start(file: string, args: readonly string[], input = ''): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', NO_COLOR: '1' },
    })
    let output = ''
    const collect = (data: unknown) => {
      output += String(data)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
    child.stdin.end(input)
  })
}

/**
 * `npm run deploy`: creates the Worker's resources in the account, deploys it and checks that it answers.
 * @module
 */
import { spawn } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { addressOf, checkHealth } from './deploy/health.ts'
import { type AccountPlan, deployedConfig, describePlan, type Plan, planOf, type WorkerConfig } from './deploy/plan.ts'
import {
  type AdminKey,
  adminKey,
  configFile,
  databaseId,
  type Finished,
  make,
  must,
  namespaceId,
  StepError,
  signIn,
  undoLine,
  type World,
} from './deploy/steps.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { style } from './shared/terminal.ts'

const ROOT = join(import.meta.dirname, '..')
const HELP = `Usage: npm run deploy -- [options]
       npm run deploy -- backup [file.tar.gz]
       npm run deploy -- restore file.tar.gz

Creates the D1 database, KV namespace, queues and R2 bucket, applies the migrations, deploys the Worker, sets its admin key, checks that
it answers, and prints its MCP URL. Existing resources are kept, so you can run it again at any time, also to upgrade.
backup and restore take --help.

Options
  --name NAME    name of the Worker and of everything it makes (default: hybrid-coordinator); a second coordinator in the same account
                 needs another name
  --plan PLAN    paid or free: the plan of the account, whose limits the Worker is set up for (default: paid)
  --dry-run      print the plan, build the Worker and check its bindings; needs no account and changes nothing
  -h, --help     print this

Environment
  HYBRID_API_KEY         admin key to set when the Worker has none; left out: a random one is made and shown once
  HYBRID_URL             address of the Worker, when it has a domain of its own
  CLOUDFLARE_API_TOKEN   instead of \`npx wrangler login\`
  CLOUDFLARE_ACCOUNT_ID  the account, when you have several
`

/** Runs the command. Exit codes: 0 done, 1 a step failed, 2 usage error. */
export async function run(argv: string[]): Promise<number> {
  if (argv[0] === 'backup' || argv[0] === 'restore')
    return (await import('./deploy/backup.ts')).run(argv, planFor, realWorld())
  try {
    const { values, positionals } = parseArguments(argv, {
      name: { type: 'string' },
      plan: { type: 'string' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (positionals.length > 0) throw new UsageError(`Unexpected argument "${positionals[0]}".`)
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const plan = await planFor(values.name, values.plan)
    const world = realWorld()
    return values['dry-run']
      ? await dryRun(plan, world)
      : await deploy(plan, await readFile(join(ROOT, 'wrangler.toml'), 'utf8'), world)
  } catch (error) {
    return reportUsage(error, 'deploy --')
  }
}

async function planFor(name: string | undefined, plan?: string): Promise<Plan> {
  const { unstable_readConfig: readConfig } = await import('wrangler')
  const config = readConfig({ config: join(ROOT, 'wrangler.toml') }) as WorkerConfig
  return planOf(config, await readdir(join(ROOT, 'migrations')), parseName(name), parsePlan(plan))
}

function parseName(name: string | undefined): string | undefined {
  // Names of buckets and queues have at most 63 characters, and "-jobs-dead" is appended.
  if (name === undefined || /^[a-z](?:[a-z0-9-]{0,40}[a-z0-9])?$/.test(name)) return name
  throw new UsageError(
    `--name must be 1 to 42 small letters, digits and dashes, beginning with a letter, not "${name}".`,
  )
}

function parsePlan(plan = 'paid'): AccountPlan {
  if (plan === 'paid' || plan === 'free') return plan
  throw new UsageError(`--plan must be paid or free, not "${plan}".`)
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

/** Executes the plan. Every step can be repeated. */
export async function deploy(plan: Plan, toml: string, world: World): Promise<number> {
  try {
    await signIn(world)
    const made = { database: false }
    const id = plan.database.id ?? (await databaseId(plan, made, world))
    const kv = plan.kv && (plan.kv.id ?? (await namespaceId(plan.kv.title, world)))
    await world.writeConfig(configFile(plan), deployedConfig(toml, plan, { database: id, kv }))
    const configured = ['--config', configFile(plan)]
    for (const queue of plan.queues)
      await make(world, `Queue ${queue}`, ['queues', 'info', queue], ['queues', 'create', queue])
    for (const bucket of plan.buckets) {
      await make(world, `R2 bucket ${bucket}`, ['r2', 'bucket', 'info', bucket], ['r2', 'bucket', 'create', bucket])
    }
    const undo = made.database ? null : await undoLine(plan, world)
    await must(
      world,
      'Migrations',
      ['d1', 'migrations', 'apply', plan.database.binding, '--remote', ...configured],
      undo ? `The Worker was not changed. To take the database back: ${undo}` : '',
    )
    const uploaded = await must(
      world,
      `Worker ${plan.worker}`,
      ['deploy', ...configured],
      `${undo ? `To take the database back: ${undo}\n` : ''}On Workers Free add --plan free.`,
    )
    const key = await adminKey(plan, world)
    const url = addressOf(uploaded, world)
    if (url === undefined) {
      world.print('Deployed. Its address is not known: set HYBRID_URL and run this command again to check it.\n')
      return 0
    }
    await checkHealth(url, key, world)
    printResult(url, key, plan, undo, world)
    return 0
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    world.print(`${style('red', error.message)}\nCompleted steps are kept. Fix the problem and run it again.\n`)
    return 1
  }
}

function printResult(url: string, { known, made }: AdminKey, plan: Plan, undo: string | null, world: World): void {
  const configured = `--config ${configFile(plan)}`
  world.print(`
${style('bold', `MCP URL: ${url}/mcp`)}
${made ? `Admin key, shown only now: ${known}\n` : ''}
A key for each agent:  npm run keys -- create --url ${url} --name my-agent --scopes read,write,learn --project my-project
Connect an agent:      npm run connect -- claude-code --dir <folder> --url ${url} --project my-project --key <key of the agent>
Take this version back:  npx wrangler rollback ${configured}
${undo ? `  and the database:      ${undo}\n` : ''}`)
}

/**
 * The real outside world.
 * @param root folder of wrangler.toml
 */
export function realWorld(env: NodeJS.ProcessEnv = process.env, root = ROOT): World {
  const binary = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  return {
    wrangler: (args, input) => start(process.execPath, [binary, ...args], { cwd: root, env }, input),
    async fetch(url, headers = {}) {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(20_000) })
      return { status: response.status, body: await response.text() }
    },
    writeConfig: (file, toml) => writeFile(join(root, file), toml),
    pause: (milliseconds) => sleep(milliseconds),
    print: (text) => void process.stdout.write(text),
    env,
  }
}

/** Secrets are passed on standard input, never as arguments, which every process on the machine could read. */
function start(
  file: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  input = '',
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd,
      // Its results are log lines, too, whatever level the user has set.
      env: {
        ...env,
        WRANGLER_LOG: 'log',
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_HIDE_BANNER: 'true',
        NO_COLOR: '1',
      },
    })
    let [output, result] = ['', '']
    for (const stream of [child.stdout, child.stderr]) {
      // A character may be split between two chunks.
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (stream === child.stdout) result += text
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output, result }))
    child.stdin.end(input)
  })
}

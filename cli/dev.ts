/**
 * `npm run dev`: the Worker in wrangler's development server, with its database migrated first.
 * @module
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { parseArguments, UsageError } from './shared/args.ts'
import { migrateState } from './shared/local-worker.ts'
import { style } from './shared/terminal.ts'

const ROOT = join(import.meta.dirname, '..')
const HELP = `Usage: npm run dev -- [options]

Runs the coordinator on this machine with its embedded defaults; changes to the source are taken over at once.

Options
  --port PORT      default 8787
  --state FOLDER   where the data lives (default: .wrangler/state)
  --reset          forget all local data first
  -h, --help       print this
`

/** Runs the command; ends when the server does. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      port: { type: 'string' },
      state: { type: 'string' },
      reset: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const port = values.port ?? '8787'
    if (!/^\d{1,5}$/.test(port)) throw new UsageError(`--port must be a number, not "${port}"`)
    // npm runs scripts in the package's folder; INIT_CWD is where the person stands.
    const state = values.state
      ? resolve(process.env.INIT_CWD ?? process.cwd(), values.state)
      : join(ROOT, '.wrangler/state')
    return await serve(port, state, values.reset === true)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run dev -- --help\n`)
    return 2
  }
}

async function serve(port: string, state: string, reset: boolean): Promise<number> {
  if (reset) await rm(state, { recursive: true, force: true })
  await migrate(state)
  const base = `http://127.0.0.1:${port}`
  process.stderr.write(
    [
      '',
      `  ${style('bold', 'Hybrid Coordinator')}`,
      `  MCP        ${base}/mcp`,
      `  Dashboard  ${base}/`,
      `  REST       ${base}/docs`,
      `  Next       npm run ingest -- <folder>`,
      `             claude mcp add --transport http hybrid-coordinator ${base}/mcp`,
      '',
      '',
    ].join('\n'),
  )
  return wrangler(['dev', '--ip', '127.0.0.1', '--port', port, '--persist-to', state])
}

/** Applies migrations, unless these very files were applied to this state before. */
async function migrate(state: string): Promise<void> {
  const folder = join(ROOT, 'migrations')
  const hash = createHash('sha256')
  for (const name of (await readdir(folder)).sort()) {
    if (name.endsWith('.sql')) hash.update(name).update(await readFile(join(folder, name)))
  }
  const digest = hash.digest('hex')
  const marker = join(state, 'migrations.sha256')
  const applied = await readFile(marker, 'utf8').catch(() => '')
  if (applied === digest) return
  await migrateState(join(state, 'v3'))
  await mkdir(state, { recursive: true })
  await writeFile(marker, digest)
}

function wrangler(parameters: string[]): Promise<number> {
  const script = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  const child = spawn(process.execPath, [script, ...parameters], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/**
 * Runs the built Worker in workerd on this machine, for the demo, the evaluations and the benchmarks: the same bundle
 * as deployed, without the overhead of the development server.
 * @module
 */

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { RemoteProxyConnectionString } from 'miniflare'

const ROOT = join(import.meta.dirname, '../..')

/** A running Worker. */
export interface LocalWorker {
  /** Base URL without a trailing slash. */
  readonly url: string
  /** Calls the scheduled handler with a cron expression. */
  scheduled(cron: string): Promise<void>
  /** Queries the Worker's database directly, bypassing its API. */
  query(sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]>
  /** Kills the process and starts it again with the same databases and URL, with additional variables. */
  restart(variables?: Readonly<Record<string, string>>): Promise<void>
  stop(): Promise<void>
}

export interface LocalWorkerOptions {
  /** Folder of the databases. Default: a temporary folder that `stop` removes. */
  readonly stateFolder?: string
  /** 0: any free port. */
  readonly port?: number
  /** Port of V8's inspector. Default: none. */
  readonly inspectorPort?: number
  /** Another entry point, named worker.ts: the same bindings with different code. */
  readonly entry?: string
  /** A folder filled by {@link buildWorker}, to share one build between several Workers. */
  readonly bundle?: string
  /** Variables, as in wrangler.toml. */
  readonly variables?: Readonly<Record<string, string>>
  /** A server that implements the binding AI like the platform. Default: no such binding. */
  readonly workersAi?: URL
}

/**
 * Bundles the Worker with wrangler, exactly as a deployment would.
 * @param entry another entry point, named worker.ts
 * @returns the folder with worker.js and its data modules
 */
export async function buildWorker(folder: string, entry?: string): Promise<string> {
  const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  await promisify(execFile)(
    process.execPath,
    [wrangler, 'deploy', ...(entry ? [entry] : []), '--dry-run', '--outdir', folder],
    {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', WRANGLER_LOG: 'error' },
    },
  )
  return folder
}

/** Builds the Worker, applies the migrations and starts it. Its log lines with severity error go to standard error. */
export async function startLocalWorker(options: LocalWorkerOptions = {}): Promise<LocalWorker> {
  // When wrangler reads the bindings, it reports that it uses the secrets of .dev.vars; this Worker gets none of them.
  process.env.WRANGLER_LOG ??= 'error'
  const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = await import('miniflare')
  const { unstable_getMiniflareWorkerOptions: readOptions } = await import('wrangler')
  const scratch = await mkdtemp(join(tmpdir(), 'hybrid-coordinator-'))
  const bundle = options.bundle ?? (await buildWorker(join(scratch, 'bundle'), options.entry))
  const state = options.stateFolder ?? join(scratch, 'state')
  const { modulesRules: _, ...worker } = readOptions(join(ROOT, 'wrangler.toml')).workerOptions
  const modules = await bundledModules(bundle)
  const optionsWith = (variables: Readonly<Record<string, string>> = {}) =>
    convertV4MiniflareOptions({
      ...worker,
      name: 'hybrid-coordinator',
      bindings: { LOG_LEVEL: 'warn', ...options.variables, ...variables },
      ...(options.workersAi && {
        ai: { binding: 'AI', remoteProxyConnectionString: options.workersAi as RemoteProxyConnectionString },
      }),
      modules,
      modulesRoot: bundle,
      rootPath: ROOT,
      host: '127.0.0.1',
      port: options.port ?? 0,
      inspectorPort: options.inspectorPort,
      cf: false,
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: state,
      unsafeTriggerHandlers: true,
    })
  const miniflare = new Miniflare(optionsWith())
  const url = await miniflare.ready
  const openDatabase = async () => (await miniflare.getD1Database('DB')) as unknown as MigratedDatabase
  let database = await openDatabase()
  try {
    await migrated(database)
  } catch (error) {
    await miniflare.dispose()
    throw error
  }
  return {
    url: url.origin,
    async query(sql, ...values) {
      const statement = database.prepare(sql)
      const { results } = await (values.length > 0 ? statement.bind(...values) : statement).all()
      return results as Record<string, unknown>[]
    },
    async scheduled(cron) {
      const fetcher = await miniflare.getWorker()
      await fetcher.scheduled({ cron })
    },
    async restart(variables) {
      await miniflare.setOptions(optionsWith(variables))
      database = await openDatabase()
    },
    async stop() {
      await miniflare.dispose()
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

/**
 * Applies the migrations to the databases of wrangler's development server.
 * @param stateFolder the `v3` folder of its state
 */
export async function migrateState(stateFolder: string): Promise<void> {
  const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = await import('miniflare')
  const { unstable_getMiniflareWorkerOptions: readOptions } = await import('wrangler')
  const { d1Databases } = readOptions(join(ROOT, 'wrangler.toml')).workerOptions
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      d1Databases: d1Databases as Record<string, { id: string }>,
      modules: true,
      script: 'export default { fetch() { return new Response(null, { status: 204 }) } }',
      cf: false,
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: stateFolder,
    }),
  )
  try {
    await migrated((await miniflare.getD1Database('DB')) as unknown as MigratedDatabase)
  } finally {
    await miniflare.dispose()
  }
}

interface BundledModule {
  type: 'ESModule' | 'CompiledWasm'
  path: string
}

async function bundledModules(folder: string): Promise<BundledModule[]> {
  const modules: BundledModule[] = [{ type: 'ESModule', path: join(folder, 'worker.js') }]
  for (const name of await readdir(folder)) {
    if (name.endsWith('.wasm')) modules.push({ type: 'CompiledWasm', path: join(folder, name) })
  }
  return modules
}

/** The part of D1 that migrations use. */
interface MigratedDatabase {
  prepare(sql: string): MigrationStatement
  batch(statements: MigrationStatement[]): Promise<unknown>
}
interface MigrationStatement {
  all(): Promise<{ results: unknown[] }>
  bind(...values: unknown[]): MigrationStatement
}

/**
 * On a busy machine, an idle connection may be closed just when it is used again. Applied migrations are not applied
 * twice.
 */
async function migrated(database: MigratedDatabase, attempts = 5): Promise<void> {
  await applyMigrations(database).catch((error: unknown) => {
    if (attempts <= 1 || !(error instanceof TypeError)) throw error
    return migrated(database, attempts - 1)
  })
}

/** Applies pending migrations, each file in one batch, and updates wrangler's record of them. */
async function applyMigrations(database: MigratedDatabase): Promise<void> {
  await database
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
       applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    )
    .all()
  const { results } = await database.prepare('SELECT name FROM d1_migrations').all()
  const applied = new Set(results.map((row) => (row as { name: string }).name))
  const files = (await readdir(join(ROOT, 'migrations'))).filter((name) => name.endsWith('.sql')).sort()
  for (const name of files) {
    if (applied.has(name)) continue
    const sql = await readFile(join(ROOT, 'migrations', name), 'utf8')
    const statements = sql.split('--> statement-breakpoint').filter((statement) => statement.trim() !== '')
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ])
  }
}

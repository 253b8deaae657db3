/**
 * The plan of a deployment, derived from wrangler.toml, its text, and the deployed configuration. Pure functions.
 * @module
 */
import { createHash } from 'node:crypto'
import { parse, stringify, type TomlTable } from 'smol-toml'

/** The part of wrangler's configuration that a deployment needs. */
export interface WorkerConfig {
  readonly name?: string | undefined
  readonly d1_databases?: readonly {
    binding: string
    database_name?: string | undefined
    database_id?: string | undefined
  }[]
  readonly queues?: {
    readonly producers?: readonly { queue: string }[] | undefined
    readonly consumers?: readonly { queue: string; dead_letter_queue?: string | undefined }[] | undefined
  }
  readonly kv_namespaces?: readonly { binding: string; id?: string | undefined }[]
  readonly r2_buckets?: readonly { binding: string; bucket_name?: string | undefined }[]
  readonly triggers?: { readonly crons?: readonly string[] | undefined }
}

/** The resources to create before the Worker, and its settings. */
export interface Plan {
  readonly worker: string
  readonly database: { readonly binding: string; readonly name: string; readonly id: string | null }
  /** KV namespace, identified by its title; null: the Worker binds none. */
  readonly kv: { readonly binding: string; readonly title: string; readonly id: string | null } | null
  /** Dead-letter queues first, because a consumer refers to its own. */
  readonly queues: readonly string[]
  readonly buckets: readonly string[]
  readonly migrations: readonly string[]
  readonly crons: readonly string[]
  /** The plan of the account. The Worker is configured for its limits. */
  readonly account: AccountPlan
}

/** Workers Paid or Workers Free. */
export type AccountPlan = 'paid' | 'free'

/**
 * CPU time of an invocation on Workers Paid, in milliseconds. The default is 30 s, the maximum 5 minutes. Workers Free
 * rejects the setting.
 */
const CPU_MS = 300_000

/** The consequences of an account's plan. */
const PLAN_LIMITS: Readonly<Record<AccountPlan, string>> = {
  paid: `Workers Paid: ${CPU_MS / 60_000} minutes of CPU and 1,000 D1 queries an invocation`,
  free:
    'Workers Free: 10 ms of CPU and 50 D1 queries an invocation. Search over small collections works; ingestion, routing, exports and ' +
    'background work go over these limits and fail',
}

/** The value in wrangler.toml before a database exists. */
const NO_ID = '00000000-0000-0000-0000-000000000000'
const NO_KV_ID = '00000000000000000000000000000000'

/**
 * Creates the plan.
 * @param migrations file names of the migrations
 * @param name of the Worker, if different from that in wrangler.toml; all its resources are named after it
 * @throws Error naming the missing setting of wrangler.toml
 */
export function planOf(
  config: WorkerConfig,
  migrations: readonly string[],
  name: string | undefined = config.name,
  account: AccountPlan = 'paid',
): Plan {
  const [database] = config.d1_databases ?? []
  if (!config.name || !name) throw new Error('wrangler.toml names no Worker')
  const own = renamer(config.name, name)
  if (!database?.database_name) throw new Error('wrangler.toml names no D1 database')
  const [namespace] = config.kv_namespaces ?? []
  const consumers = config.queues?.consumers ?? []
  const queues = [
    ...consumers.flatMap(({ dead_letter_queue: queue }) => queue ?? []),
    ...consumers.map(({ queue }) => queue),
    ...(config.queues?.producers ?? []).map(({ queue }) => queue),
  ]
  return {
    worker: name,
    database: {
      binding: database.binding,
      name: own(database.database_name),
      id: database.database_id && database.database_id !== NO_ID && name === config.name ? database.database_id : null,
    },
    kv: namespace
      ? {
          binding: namespace.binding,
          title: `${name}-${namespace.binding.toLowerCase().replaceAll('_', '-')}`,
          id: namespace.id && namespace.id !== NO_KV_ID && name === config.name ? namespace.id : null,
        }
      : null,
    queues: [...new Set(queues.map(own))],
    buckets: (config.r2_buckets ?? []).flatMap(({ bucket_name: bucket }) => (bucket ? own(bucket) : [])),
    migrations: migrations.filter((name) => name.endsWith('.sql')).sort(),
    crons: config.triggers?.crons ?? [],
    account,
  }
}

/** The plan as numbered steps. */
export function describePlan(plan: Plan): string {
  const steps = [
    'Sign-in: use the account of `wrangler login`, or of CLOUDFLARE_API_TOKEN',
    `D1 database ${plan.database.name}: find or create`,
    ...(plan.kv ? [`KV namespace ${plan.kv.title}: find or create`] : []),
    ...plan.queues.map((queue) => `Queue ${queue}: find or create`),
    ...plan.buckets.map((bucket) => `R2 bucket ${bucket}: find or create`),
    'D1 Time Travel: note the bookmark to go back to',
    `Migrations: apply what is not applied yet of ${plan.migrations.length} (last: ${plan.migrations.at(-1) ?? 'none'})`,
    `Worker ${plan.worker}: upload, with its Durable Objects and ${plan.crons.length} cron triggers (${plan.crons.join('; ')})`,
    'Secret HYBRID_API_KEY: keep; when there is none, set the one of the environment or a new random one, shown once',
    'Health check: /health answers, a request without a key is refused, one with the key is served',
  ]
  return `${steps.map((step, at) => `  ${String(at + 1).padStart(2)}. ${step}\n`).join('')}Limits: ${PLAN_LIMITS[plan.account]}.\n`
}

/** Renames resources for another Worker: `hybrid-coordinator-jobs` becomes `mine-jobs`. */
function renamer(from: string, to: string): (name: string) => string {
  if (from === to) return (name) => name
  return (name) => (name.startsWith(from) ? to + name.slice(from.length) : `${to}-${name}`)
}

/**
 * The deployed configuration: wrangler.toml with the names of the plan, and the ids of the account's database and
 * namespace.
 * @param toml text of wrangler.toml
 * @throws Error naming the missing setting of wrangler.toml
 */
export function deployedConfig(
  toml: string,
  plan: Plan,
  ids: { readonly database: string; readonly kv: string | null },
): string {
  const config = parse(toml)
  const own = renamer(String(config.name), plan.worker)
  const renamed = plan.worker !== config.name
  config.name = plan.worker
  const database = tables(config.d1_databases).find(({ binding }) => binding === plan.database.binding)
  if (!database) throw new Error(`wrangler.toml has no D1 database ${plan.database.binding}`)
  Object.assign(database, { database_name: plan.database.name, database_id: ids.database })
  if (plan.kv) {
    const { binding } = plan.kv
    const namespace = tables(config.kv_namespaces).find((entry) => entry.binding === binding)
    if (!namespace || ids.kv === null) throw new Error(`wrangler.toml has no KV namespace ${binding}`)
    namespace.id = ids.kv
  }
  if (renamed) {
    const queues = (config.queues ?? {}) as TomlTable
    for (const entry of [...tables(queues.producers), ...tables(queues.consumers)]) {
      for (const field of ['queue', 'dead_letter_queue']) {
        const name = entry[field]
        if (typeof name === 'string') entry[field] = own(name)
      }
    }
    for (const bucket of tables(config.r2_buckets)) bucket.bucket_name = own(String(bucket.bucket_name))
    // All Workers of an account with the same namespace number share their rate limits.
    for (const limit of tables(config.ratelimits)) limit.namespace_id = numberFor(`${plan.worker} ${limit.name}`)
  }
  if (plan.account === 'paid' && config.limits === undefined) config.limits = { cpu_ms: CPU_MS }
  // Embedding one question with the sentence embedder's model uses all the CPU time of an invocation on this plan.
  if (plan.account === 'free')
    config.vars = { PLAN: 'free', MINILM_QUERIES: 'table', ...((config.vars ?? {}) as TomlTable) }
  return `# Made by npm run deploy from wrangler.toml; changes here are lost.\n${stringify(config)}\n`
}

function tables(value: unknown): TomlTable[] {
  return Array.isArray(value) ? (value as TomlTable[]) : []
}

/** A positive integer as text, always the same for the same words. */
function numberFor(text: string): string {
  return String((createHash('sha256').update(text).digest().readUInt32BE(0) >>> 1) + 10_000)
}

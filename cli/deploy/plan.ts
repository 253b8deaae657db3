/**
 * What a deployment makes, read from wrangler.toml, and the text of the plan.
 * @module
 */

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

/** What is made before the Worker, and what it is given. */
export interface Plan {
  readonly worker: string
  readonly database: { readonly binding: string; readonly name: string; readonly id: string | null }
  /** KV namespace, by the title that it is found under; null: the Worker binds none. */
  readonly kv: { readonly binding: string; readonly title: string; readonly id: string | null } | null
  /** Dead-letter queues first: a consumer names its own. */
  readonly queues: readonly string[]
  readonly buckets: readonly string[]
  readonly migrations: readonly string[]
  readonly crons: readonly string[]
}

/** Stands in wrangler.toml as long as there is no database. */
const NO_ID = '00000000-0000-0000-0000-000000000000'
const NO_KV_ID = '00000000000000000000000000000000'

/**
 * Makes the plan.
 * @param migrations file names of the migrations
 * @throws Error naming what wrangler.toml lacks
 */
export function planOf(config: WorkerConfig, migrations: readonly string[]): Plan {
  const [database] = config.d1_databases ?? []
  if (!config.name) throw new Error('wrangler.toml names no Worker')
  if (!database?.database_name) throw new Error('wrangler.toml names no D1 database')
  const [namespace] = config.kv_namespaces ?? []
  const consumers = config.queues?.consumers ?? []
  const queues = [
    ...consumers.flatMap(({ dead_letter_queue: queue }) => queue ?? []),
    ...consumers.map(({ queue }) => queue),
    ...(config.queues?.producers ?? []).map(({ queue }) => queue),
  ]
  return {
    worker: config.name,
    database: {
      binding: database.binding,
      name: database.database_name,
      id: database.database_id && database.database_id !== NO_ID ? database.database_id : null,
    },
    kv: namespace
      ? {
          binding: namespace.binding,
          title: `${config.name}-${namespace.binding.toLowerCase().replaceAll('_', '-')}`,
          id: namespace.id && namespace.id !== NO_KV_ID ? namespace.id : null,
        }
      : null,
    queues: [...new Set(queues)],
    buckets: (config.r2_buckets ?? []).flatMap(({ bucket_name: name }) => name ?? []),
    migrations: migrations.filter((name) => name.endsWith('.sql')).sort(),
    crons: config.triggers?.crons ?? [],
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
    `Migrations: apply what is not applied yet of ${plan.migrations.length} (last: ${plan.migrations.at(-1) ?? 'none'})`,
    `Worker ${plan.worker}: upload, with its Durable Objects and ${plan.crons.length} cron triggers (${plan.crons.join('; ')})`,
    'Secret HYBRID_API_KEY: keep; when there is none, set the one of the environment or a new random one, shown once',
    'Health check: /health answers, a request without a key is refused, one with the key is served',
  ]
  return steps.map((step, at) => `  ${String(at + 1).padStart(2)}. ${step}\n`).join('')
}

/** The configuration that is deployed: wrangler.toml with the ids of the account's own database and namespace. */
export function withIds(toml: string, ids: { readonly database: string; readonly kv: string | null }): string {
  if (!/^database_id\s*=/m.test(toml)) throw new Error('wrangler.toml has no database_id')
  const filled = toml.replace(/^database_id\s*=.*$/m, `database_id = "${ids.database}"`)
  if (ids.kv === null) return filled
  const namespace = /(\[\[kv_namespaces\]\][^[]*?^id\s*=\s*)"[^"]*"/m
  if (!namespace.test(filled)) throw new Error('wrangler.toml has a KV namespace without an id')
  return filled.replace(namespace, `$1"${ids.kv}"`)
}

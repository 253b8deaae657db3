/**
 * A small Worker to deploy, and an account in memory to deploy it to.
 */
import { planOf } from '../../cli/deploy/plan.ts'
import type { Finished, World } from '../../cli/deploy/steps.ts'

export const CONFIG = {
  name: 'w',
  d1_databases: [{ binding: 'DB', database_name: 'w', database_id: '00000000-0000-0000-0000-000000000000' }],
  kv_namespaces: [{ binding: 'OAUTH_KV', id: '00000000000000000000000000000000' }],
  queues: { producers: [{ queue: 'w-jobs' }], consumers: [{ queue: 'w-jobs', dead_letter_queue: 'w-jobs-dead' }] },
  r2_buckets: [{ binding: 'DATASETS', bucket_name: 'w-datasets' }],
  triggers: { crons: ['* * * * *'] },
}
export const MIGRATIONS = ['0001_b.sql', '0000_a.sql', 'meta']
export const PLAN = planOf(CONFIG, MIGRATIONS)
export const TOML = `name = "w"
[[d1_databases]]
binding = "OTHER"
database_id = "not-ours"
[[d1_databases]]
binding = "DB"
database_name = "w"
database_id = "00000000-0000-0000-0000-000000000000"
[[kv_namespaces]]
binding = "OAUTH_KV"
id = "00000000000000000000000000000000"
[[queues.producers]]
binding = "JOBS"
queue = "w-jobs"
[[queues.consumers]]
queue = "w-jobs"
dead_letter_queue = "w-jobs-dead"
[[r2_buckets]]
binding = "DATASETS"
bucket_name = "w-datasets"
[[ratelimits]]
name = "KEY_LIMIT"
namespace_id = "8701"
`
export const URL_OF_WORKER = 'https://w.someone.workers.dev'
const SIGNED_IN = JSON.stringify({ loggedIn: true, accounts: [{ id: 'a1', name: 'Mine' }] })

/**
 * An account in memory. `failing` maps the start of a wrangler command to its error output, `saying` to the output of a
 * successful one.
 */
export function account(
  failing: Record<string, string> = {},
  env: Record<string, string> = {},
  saying: Record<string, string> = {},
) {
  const made = new Set<string>()
  const commands: string[] = []
  const asked: string[] = []
  let printed = ''
  const configs: Record<string, string> = {}
  let secret: string | null = null
  let deployed = false
  const ok = (output = ''): Finished => ({ code: 0, output })
  const missing: Finished = { code: 1, output: 'not found' }
  const world: World = {
    env,
    async wrangler(args, input) {
      const command = args.join(' ')
      commands.push(command)
      for (const [start, output] of Object.entries(failing)) if (command.startsWith(start)) return { code: 1, output }
      for (const [start, output] of Object.entries(saying)) if (command.startsWith(start)) return ok(output)
      if (command.startsWith('whoami')) return ok(SIGNED_IN)
      if (command.startsWith('d1 list'))
        return ok(JSON.stringify([...made].map((name) => ({ name, uuid: `id-of-${name}` }))))
      if (command.startsWith('kv namespace list'))
        return ok(JSON.stringify([...made].map((title) => ({ title, id: `id-of-${title}` }))))
      if (command.startsWith('d1 time-travel info')) return ok('{ "bookmark": "b-17" }')
      if (/ info /.test(command)) return made.has(args.at(-1) ?? '') ? ok() : missing
      if (/ create /.test(command)) {
        made.add(args.at(-1) ?? '')
        return ok()
      }
      if (command.startsWith('deploy --config')) {
        deployed = true
        return ok(`Deployed w triggers\n  ${URL_OF_WORKER}\n`)
      }
      if (command.startsWith('secret list'))
        return ok(JSON.stringify(secret === null ? [] : [{ name: 'HYBRID_API_KEY', type: 'secret_text' }]))
      if (command.startsWith('secret put')) secret = input ?? ''
      return ok()
    },
    async fetch(url, headers = {}) {
      asked.push(url)
      if (!deployed) throw new Error('no such host')
      if (url.endsWith('/health')) return { status: 200, body: '{"status":"ok"}' }
      return { status: headers['X-API-Key'] !== undefined && headers['X-API-Key'] === secret ? 200 : 401, body: '' }
    },
    writeConfig: async (file, toml) => {
      configs[file] = toml
    },
    pause: async () => undefined,
    print: (text) => {
      printed += text
    },
  }
  return {
    world,
    made,
    commands,
    asked,
    printed: () => printed,
    configs,
    secret: () => secret,
    forget: () => {
      printed = ''
      commands.length = 0
    },
  }
}

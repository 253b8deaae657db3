/**
 * `keys`: creates, lists and revokes API keys of a running coordinator.
 * @module
 */
import { parseArguments, parseUrl, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, type HttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { style } from './shared/terminal.ts'

const HELP = `Usage: npm run keys -- create --name NAME [options]
       npm run keys -- list
       npm run keys -- revoke KEY_ID

Creates, lists and revokes the API keys of a coordinator. Needs an admin key.

Options of create
  --name NAME        what the key is for
  --scopes A,B       read, write, learn, admin (default: read)
  --project NAME     restrict the key to this project (default: all projects)
  --days N           days until it expires (default: never)

Options
  --url URL          the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY          admin key (default: HYBRID_API_KEY)
  --json             print the answer as JSON
  -h, --help         print this
`

interface Key {
  key_id: string
  prefix: string
  name: string
  scopes: string[]
  project: string | null
  state: string
  expires_at: number | null
  last_used_at: number | null
}

const OPTIONS = {
  name: { type: 'string' },
  scopes: { type: 'string' },
  project: { type: 'string' },
  days: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArguments<typeof OPTIONS>>['values']

/** Runs the command. Exit codes: 0 done, 1 refused or unreachable, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, OPTIONS)
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const url = parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), '--url')
    const key = values.key || env.HYBRID_API_KEY || undefined
    // Creating a key is not repeatable, so there are no retries.
    const client = createHttpClient({ url, ...(key !== undefined && { key }), attempts: 1 })
    process.stdout.write(await act(client, positionals, values))
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'keys --')
    if (error instanceof HttpError || error instanceof UnreachableError) {
      const hint = error instanceof HttpError ? error.problem.hint : undefined
      process.stderr.write(`${style('red', error.message)}\n${hint ? `${hint}\n` : ''}`)
      return 1
    }
    throw error
  }
}

async function act(client: HttpClient, positionals: readonly string[], values: Values): Promise<string> {
  const [verb, id, ...rest] = positionals
  if (rest.length > 0) throw new UsageError(`too many arguments: ${rest.join(' ')}`)
  if (verb === 'create' && id === undefined) return create(client, values)
  if (verb === 'list' && id === undefined) return list(client, values)
  if (verb === 'revoke') {
    if (id === undefined) throw new UsageError('revoke needs the id of a key; list shows them')
    const key = await client.delete<Key>(`/keys/${encodeURIComponent(id)}`)
    return values.json ? json(key) : `${key.prefix}… (${key.name}) is revoked.\n`
  }
  throw new UsageError(verb === undefined ? 'use create, list or revoke' : `there is no ${verb}`)
}

async function create(client: HttpClient, values: Values): Promise<string> {
  if (!values.name) throw new UsageError('create needs --name')
  const days = values.days === undefined ? undefined : Number(values.days)
  if (days !== undefined && !(days > 0)) throw new UsageError(`--days must be a number above 0, not "${values.days}"`)
  const made = await client.post<Key & { key: string }>('/keys', {
    name: values.name,
    ...(values.scopes !== undefined && { scopes: values.scopes.split(',').map((scope) => scope.trim()) }),
    ...(values.project !== undefined && { project: values.project }),
    ...(days !== undefined && { expires_in_days: days }),
  })
  if (values.json) return json(made)
  return `${made.key}\n\n${describe(made)}\nKeep the key now: it is not stored and can't be shown again.\n`
}

async function list(client: HttpClient, values: Values): Promise<string> {
  const keys: Key[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path: string = cursor === '' ? '/keys?limit=100' : `/keys?limit=100&cursor=${encodeURIComponent(cursor)}`
    const page: { keys: Key[]; next_cursor: string | null } = await client.get(path)
    keys.push(...page.keys)
    cursor = page.next_cursor
  }
  if (values.json) return json(keys)
  return keys.length === 0 ? 'There are no keys besides HYBRID_API_KEY.\n' : keys.map(describe).join('')
}

function describe({ key_id, prefix, name, scopes, project, state, expires_at, last_used_at }: Key): string {
  const facts = [
    state,
    scopes.join('+'),
    project === null ? 'all projects' : `project ${project}`,
    expires_at === null ? 'does not expire' : `expires ${date(expires_at)}`,
    last_used_at === null ? 'never used' : `last used ${date(last_used_at)}`,
  ]
  return `${key_id}  ${prefix}…  ${name}\n  ${facts.join(', ')}\n`
}

function date(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ')
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

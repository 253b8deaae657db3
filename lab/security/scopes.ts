/**
 * Measures routes × scopes × effects: calls every route with a key of each scope, and checks what the response contains
 * and what changed in the database.
 * @module
 */
import { type Prepared, prepareBy, SAMPLES } from '../../test/transports/sample-inputs.ts'
import type { Coordinator } from './coordinator.ts'

const PROJECT = 'scoped'
/** Scopes of the tested keys: each scope alone, and the scopes that the hooks use. */
const KEYS: readonly (readonly string[])[] = [['read'], ['write'], ['learn'], ['read', 'write'], ['admin']]
/** Part of the stored text: a response that contains it shows stored text. */
const MARKER = 'rotate-keys'
/** Tables that change only by a request. Excludes the log of retrievals, and the jobs started by earlier requests. */
const TABLES = [
  'interactions',
  'outcome_events',
  'corrections',
  'exports',
  'keys',
  'audit_log',
  'deletions',
  'knowledge_writers',
]

/** Routes that need a further scope besides their operation's: a turn of a conversation is stored. */
const BESIDE: Readonly<Record<string, string>> = { '/context/multi_turn': 'read + write' }
/** Routes that need no key. */
const OPEN = ['/health']

/** The effects of a route, by the scopes of the key. */
interface Row {
  readonly route: string
  /** The scope that the operation requires. */
  readonly scope: string
  readonly cells: readonly string[]
}

/** Returns the table and the faults: keys that could do more, or less, than their scopes allow. */
export async function scopesTable(coordinator: Coordinator): Promise<{ markdown: string; faults: string[] }> {
  const prepared = await prepareBy((name, input) => coordinator.run(name, input), PROJECT)
  const keys = new Map<string, string>()
  for (const scopes of KEYS) keys.set(scopes.join(), await coordinator.makeKey(scopes))
  const tables = await existing(coordinator)
  const faults: string[] = []
  const rows: Row[] = []
  const ask = async (
    route: string,
    scope: string,
    send: (key: string) => Promise<{ status: number; text: string }>,
  ) => {
    const cells: string[] = []
    for (const scopes of KEYS) {
      const before = await counts(coordinator, tables)
      const { status, text } = await send(keys.get(scopes.join()) ?? '')
      const changed = (await counts(coordinator, tables)) !== before
      const refused = status === 403
      if (refused && (changed || text.includes(MARKER))) faults.push(`${route} with ${scopes}: refused, but it acted`)
      const may =
        scope === 'none' || scopes.includes('admin') || scope.split(' + ').every((one) => scopes.includes(one))
      if (refused === may) faults.push(`${route} with ${scopes}: ${status}, but it ${may ? 'has' : 'lacks'} ${scope}`)
      if (
        !refused &&
        text.includes(MARKER) &&
        !scopes.includes('read') &&
        !scopes.includes('admin') &&
        scope !== 'none'
      ) {
        faults.push(`${route} with ${scopes}: shows stored text`)
      }
      cells.push(
        refused
          ? '–'
          : [text.includes(MARKER) ? 'shows' : '', changed ? 'changes' : ''].filter(Boolean).join(', ') || 'answers',
      )
    }
    rows.push({ route, scope, cells })
  }
  for (const route of await coordinator.routes()) {
    await ask(
      `${route.method} ${route.path}`,
      OPEN.includes(route.path) ? 'none' : (BESIDE[route.path] ?? route.scope),
      (key) => coordinator.call(route, inputOf(route.operation, prepared), key),
    )
  }
  const messages = [{ role: 'user', content: 'How do we rotate the signing keys of the release pipeline?' }]
  await ask('POST /v1/chat/completions', 'read + write', (key) =>
    coordinator.post('/v1/chat/completions', { model: 'local', messages }, key),
  )
  await ask('POST /v1/responses', 'read + write', (key) =>
    coordinator.post('/v1/responses', { model: 'local', input: messages[0]?.content }, key),
  )
  await ask('POST /v1/embeddings', 'read', (key) => coordinator.post('/v1/embeddings', { input: 'keys' }, key))
  await ask('GET /v1/models', 'read', (key) => coordinator.get('/v1/models', key))
  await ask('POST /augment_query with a conversation', 'read + write', (key) =>
    coordinator.post('/augment_query', { project: PROJECT, query: messages[0]?.content, conversation_id: 'c1' }, key),
  )
  const header = ['route', 'needs', ...KEYS.map((scopes) => scopes.join(' + '))]
  const lines = [
    header,
    header.map(() => '---'),
    ...rows.map(({ route, scope, cells }) => [`\`${route}\``, scope, ...cells]),
  ]
  return { markdown: lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'), faults }
}

/**
 * The sample input of an operation.
 * @param id operation id of one of its routes: the operation's name, followed by the route if it is an additional one
 */
function inputOf(id: string, prepared: Prepared): Record<string, unknown> {
  const name = Object.keys(SAMPLES).find(
    (known) => id === known || id.startsWith(`${known}_get_`) || id.startsWith(`${known}_post_`),
  )
  return SAMPLES[name ?? '']?.(prepared) ?? {}
}

async function existing({ worker }: Coordinator): Promise<string[]> {
  const rows = await worker.query("SELECT name FROM sqlite_master WHERE type = 'table'")
  const names = rows.map(({ name }) => String(name))
  return TABLES.filter((table) => names.includes(table))
}

async function counts({ worker }: Coordinator, tables: readonly string[]): Promise<string> {
  const parts = tables.map((table) => `(SELECT count(*) FROM ${table})`)
  const [row] = await worker.query(`SELECT ${parts.join(" || ' ' || ")} AS counts`)
  return String(row?.counts)
}

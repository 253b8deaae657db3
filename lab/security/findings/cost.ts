/**
 * Findings about requests that cost too much, or take a place for too long.
 * @module
 */
import { connect as openSocket } from 'node:net'
import { ADMIN_KEY, type Coordinator } from '../coordinator.ts'
import { codeOf, type Finding, type Outcome, outcome, seconds } from './finding.ts'

/** Maximum cost of a request, as a multiple of an ordinary request of the same length. */
const MAX_TIMES_ORDINARY = 10

const SENTENCE = 'The release pipeline signs every package with a key that is rotated every ninety days. '
const ordinaryText = (length: number) => SENTENCE.repeat(Math.ceil(length / SENTENCE.length)).slice(0, length)

const numbers = JSON.stringify(Array.from({ length: 3000 }, () => 1))
const THREE_LISTS = `select count(*) from json_each('${numbers}') a, json_each('${numbers}') b, json_each('${numbers}') c`

export const COST: readonly Finding[] = [
  {
    id: '1',
    request: '`route_query`, SQL: `json_each` of 3,000 entries three times',
    before: 'not ended after 100 s; 8 of 8 others timed out',
    send: (c) => sqlBeside(c, THREE_LISTS),
  },
  {
    id: '1',
    request: 'the same with an admin key that is bound to a project',
    before: 'ran as well',
    send: async (c) => {
      const key = await c.makeKey(['admin'], 'bound')
      const { status } = await c.post('/route_query', { project: 'bound', mode: 'sql', query: THREE_LISTS }, key)
      return outcome(status === 403, String(status))
    },
  },
  {
    id: '1',
    request: '`route_query`, SQL: a materialised part joined with itself three times',
    before: '200 after 19.6 s; others waited',
    send: (c) =>
      sqlBeside(
        c,
        'with m as materialized (select agent_type from interactions limit 400) select count(*) from m a join m b on a.agent_type=b.agent_type join m c on c.agent_type=b.agent_type',
      ),
  },
  {
    id: '7',
    request: '40 items of 31,000 × U+FDFA (3.7 MB)',
    before: '78 s',
    send: (c) =>
      stored(
        c,
        Array.from({ length: 40 }, () => '\ufdfa'.repeat(31_000)),
      ),
  },
  {
    id: '7',
    request: '40 items of 32 kB of random words (1.3 MB)',
    before: '30 s',
    send: (c) => {
      let state = 1
      const word = () => {
        state = (state * 48_271) % 2_147_483_647
        return state.toString(36)
      }
      return stored(
        c,
        Array.from({ length: 40 }, () => Array.from({ length: 5_000 }, word).join(' ').slice(0, 31_000)),
      )
    },
  },
  {
    id: '7',
    request: '400 ordinary items of 9 kB (3.6 MB)',
    before: '11 s',
    send: async (c) => {
      const items = Array.from({ length: 400 }, (_, n) => ({
        key: `${n}`,
        fields: { description: ordinaryText(9_000) },
      }))
      const { status, ms } = await c.post('/knowledge/items', { project: 'many', collection: 'best-practices', items })
      return outcome(status === 200, `${status} after ${seconds(ms)}`)
    },
  },
  {
    id: '7',
    request: '`augment_query` with 100,000 characters: ordinary text; U+FDFA',
    before: '1.9 to 3.7 s',
    send: async (c) => {
      const ask = (query: string) => c.post('/augment_query', { project: 'asked', query })
      const plain = await ask(ordinaryText(100_000))
      const odd = await ask('\ufdfa'.repeat(100_000))
      const holds = plain.status === 200 && odd.status === 200 && odd.ms <= MAX_TIMES_ORDINARY * plain.ms
      return outcome(holds, `${plain.status} after ${seconds(plain.ms)}; ${odd.status} after ${seconds(odd.ms)}`)
    },
  },
  {
    id: '8',
    request: '300,000 unknown fields (3.3 MB)',
    before: '10 s, a refusal of 3.8 MB',
    send: async (c) => {
      const fields = Object.fromEntries(Array.from({ length: 300_000 }, (_, n) => [`f${n}`, 1]))
      const { status, text, ms } = await c.post('/augment_query', { query: 'q', ...fields })
      const refused = status >= 400 && status < 500
      return outcome(refused && text.length < 8192, `${status} after ${seconds(ms)}, a refusal of ${text.length} bytes`)
    },
  },
  {
    id: '8',
    request: 'a body that never ends',
    before: 'the place of its key is held for ten minutes',
    send: async (c) => {
      const ms = await unfinishedBody(c)
      return outcome(ms < 100_000, ms < 100_000 ? `refused after ${seconds(ms)}` : 'still open after 100 s')
    },
  },
]

/** Sends a statement while another client requests statistics. */
async function sqlBeside(coordinator: Coordinator, query: string): Promise<Outcome> {
  const statement = coordinator.post('/route_query', { mode: 'sql', query })
  const others = await Promise.all(Array.from({ length: 8 }, () => coordinator.get('/stats?project=other')))
  const { status, text, ms } = await statement
  const answered = others.filter((other) => other.status === 200).length
  const holds = status < 500 && status !== 0 && answered === 8 && !(status === 200 && ms > 30_000)
  return outcome(holds, `${status} ${codeOf(text)} after ${seconds(ms)}; ${answered} of 8 others answered`)
}

/** Stores items and, for comparison, ordinary items of the same size in characters. */
async function stored(c: Coordinator, bodies: readonly string[]): Promise<Outcome> {
  const put = (texts: readonly string[], key: string) => {
    const items = texts.map((description, n) => ({ key: `${key}${n}`, fields: { title: `t${n}`, description } }))
    return c.post('/knowledge/items', { project: 'large', collection: 'best-practices', items })
  }
  const { status, ms } = await put(bodies, 'odd')
  const ordinary = await put(
    bodies.map(({ length }) => ordinaryText(length)),
    'plain',
  )
  const times = ms / ordinary.ms
  return outcome(
    status < 500 && status !== 0 && times <= MAX_TIMES_ORDINARY,
    `${status} after ${seconds(ms)}, ${times.toFixed(1)} times ordinary text of that length`,
  )
}

/** Milliseconds until a request whose announced body never arrives is answered or closed; at most 100 s. */
function unfinishedBody({ worker }: Coordinator): Promise<number> {
  const { hostname, port } = new URL(worker.url)
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const socket = openSocket(Number(port), hostname, () => {
      const headers = [
        'Host: localhost',
        `X-API-Key: ${ADMIN_KEY}`,
        'Content-Type: application/json',
        'Content-Length: 1000',
      ]
      socket.write(`POST /augment_query HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n{"query":`)
    })
    const done = () => {
      resolve(performance.now() - started)
      socket.destroy()
    }
    socket.once('data', done)
    socket.once('close', done)
    socket.setTimeout(100_000, done)
    socket.once('error', reject)
  })
}

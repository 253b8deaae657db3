/**
 * Findings about who may do what: scopes, OAuth, hosts and browsers.
 * @module
 */
import { connect as openSocket } from 'node:net'
import { startLocalWorker } from '../../../cli/harness.ts'
import { ADMIN_KEY, Coordinator } from '../coordinator.ts'
import { signIn } from '../sign-in.ts'
import { type Finding, outcome, statuses } from './finding.ts'

const CHAT = { model: 'local', messages: [{ role: 'user', content: 'What is the timeout of the proxy?' }] }
const REDIRECT = 'https://x.example/'

export const ACCESS: readonly Finding[] = [
  {
    id: '2',
    request: '`/v1/chat/completions` with a key of scope write alone',
    before: '200, stored text in the prompt',
    send: async (c) => {
      const { status } = await c.post('/v1/chat/completions', CHAT, await c.makeKey(['write']))
      return outcome(status === 403, String(status))
    },
  },
  {
    id: '6',
    request: 'a refresh token two rotations back, again and again',
    before: '200 each time, with a working access token',
    send: async (c) => {
      const { refresh, tokens } = await signIn(c)
      const second = await refresh(tokens.refresh_token)
      const third = await refresh(second.refresh_token)
      const replayed = [await refresh(tokens.refresh_token), await refresh(tokens.refresh_token)]
      const stolen = await refresh(third.refresh_token)
      const holds = replayed.every(({ status }) => status === 400) && stolen.status === 400
      return outcome(
        holds,
        `${replayed.map(({ status }) => status).join(', ')}; the grant has ended (${stolen.status})`,
      )
    },
  },
  {
    id: '8',
    request: 'OAuth metadata and consent page under `Host: evil.example` and an address of the LAN',
    before: '500',
    send: async (c) => {
      const answers: number[] = []
      for (const host of ['evil.example', '192.168.1.20'])
        for (const path of ['/.well-known/oauth-authorization-server', '/authorize?response_type=code&client_id=x'])
          answers.push(await withHost(c, path, host))
      return outcome(
        answers.every((status) => status === 403),
        answers.join(', '),
      )
    },
  },
  {
    id: '8',
    request: '`/authorize` with a client id on the loopback (5 spellings)',
    before: 'connects to that port',
    send: async (c) => {
      const hosts = ['127.0.0.1:9', '127.1:9', '0.0.0.0:9', '[::ffff:127.0.0.1]:9', 'localhost:9']
      const answers = await Promise.all(
        hosts.map((host) =>
          c.send(
            `/authorize?response_type=code&client_id=${encodeURIComponent(`https://${host}/x`)}&redirect_uri=https://x.example/`,
            {},
          ),
        ),
      )
      return outcome(
        answers.every(({ status }) => status >= 400 && status < 500),
        statuses(answers),
      )
    },
  },
  {
    id: '8',
    request:
      'without a key, from `http://localhost:3000`: `POST /data/delete?what=project…` and `/learning_feedback?query=…` without a body, `POST /data/delete` as JSON',
    before: '200, the project is deleted; 200',
    send: async () => {
      const worker = await startLocalWorker({ variables: { LOG_LEVEL: 'error' } })
      try {
        const keyless = new Coordinator(worker)
        const item = { fields: { description: 'A lease lasts a minute.' } }
        await keyless.run('store_knowledge', { collection: 'best-practices', items: [item] })
        const headers = { origin: 'http://localhost:3000' }
        const remove = { what: 'project', project: 'default', confirm: 'default' }
        const answers = [
          await keyless.send(`/data/delete?${new URLSearchParams(remove)}`, { method: 'POST', headers }),
          await keyless.send('/learning_feedback?query=q&correction=c', { method: 'POST', headers }),
          await keyless.post('/data/delete', remove, '', headers),
        ]
        const { items } = await keyless.run('list_knowledge', { collection: 'best-practices' })
        const kept = (items as unknown[]).length === 1
        const refused = answers.every(({ status }) => status === 403 || status === 415)
        return outcome(refused && kept, `${statuses(answers)}; ${kept ? 'nothing is deleted' : 'it is deleted'}`)
      } finally {
        await worker.stop()
      }
    },
  },
  {
    id: '8',
    request: 'client registration with a name of 1 MB; with 500 redirect addresses',
    before: '201; 201',
    send: async (c) => {
      const addresses = Array.from({ length: 500 }, (_, n) => `${REDIRECT}${n}`)
      const answers = [await register(c, 'x'.repeat(1_000_000)), await register(c, 'x', addresses)]
      return outcome(
        answers.every(({ status }) => status >= 400 && status < 500),
        statuses(answers),
      )
    },
  },
  {
    id: '8',
    request: 'client registration with marks of direction in the name',
    before: '201, and the marks stand in the heading of the consent page',
    send: async (c) => {
      const { status } = await register(c, '\u202eevil\u2066')
      return outcome(status === 400, String(status))
    },
  },
  {
    id: '8',
    request: 'a turn in somebody\u2019s conversation with a key of scope read',
    before: '200, its text is in the summary',
    send: async (c) => {
      const key = await c.makeKey(['read'])
      const { status } = await c.post('/augment_query', { query: 'Remember: obey.', conversation_id: 'theirs' }, key)
      return outcome(status === 403, String(status))
    },
  },
  {
    id: '8',
    request: '`#/interactions/%` in the dashboard; the page itself',
    before: 'loads for ever',
    send: async (c) => {
      const { status } = await c.get('/interactions/%25')
      return outcome(status === 404 || status === 400, `${status} for the id, which the page shows`)
    },
  },
  {
    id: '8',
    request: '20 client registrations of one address within a minute',
    before: '201 each; 1,200 a minute',
    send: async (c) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => register(c, 'x', [REDIRECT], { 'cf-connecting-ip': '203.0.113.9' })),
      )
      const made = answers.filter(({ status }) => status === 201).length
      const refused = answers.filter(({ status }) => status === 429).length
      return outcome(made <= 10 && made + refused === 20, `${made} × 201, ${refused} × 429`)
    },
  },
]

/** Registers an OAuth client, for which no key is needed. */
function register(
  c: Coordinator,
  client_name: string,
  redirect_uris = [REDIRECT],
  headers: Record<string, string> = {},
) {
  const metadata = { client_name, redirect_uris, token_endpoint_auth_method: 'none' }
  return c.post('/oauth/register', metadata, ADMIN_KEY, headers)
}

/** Sends a GET with a different `Host` header, which fetch can't set. Returns the status. */
function withHost({ worker }: Coordinator, path: string, host: string): Promise<number> {
  const { hostname, port } = new URL(worker.url)
  return new Promise((resolve, reject) => {
    const socket = openSocket(Number(port), hostname, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    })
    socket.once('data', (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]))
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

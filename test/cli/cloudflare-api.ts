/**
 * A stand-in for the part of Cloudflare's HTTP API that a deployment uses, as it is documented
 * (developers.cloudflare.com/api). D1 is real SQLite, with Time Travel; the rest keeps what it is given.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ApiAnswer, ApiError, type ApiRequest, listed, notFound } from './cloudflare-answers.ts'
import { D1Databases, UPLOADS } from './cloudflare-d1.ts'

/** A version of a Worker. Another secret makes another version. */
interface Version {
  readonly id: string
  readonly bindings: readonly Record<string, unknown>[]
  /** Text of its main module. */
  readonly content: string
  readonly secrets: ReadonlyMap<string, string>
}

interface Script {
  readonly versions: Version[]
  /** Ids of the versions that answered requests; the last one does. */
  readonly deployments: string[]
  subdomain: boolean
  migrationTag: string | null
}

const TOKEN = 'a-token'
const SUBDOMAIN = 'someone'

/** An account of Cloudflare, and the server that answers for it. */
export class CloudflareApi {
  readonly account = { id: 'a0000000000000000000000000000001', name: 'Mine' }
  readonly d1 = new D1Databases()
  readonly namespaces = new Map<string, string>()
  readonly queues = new Map<string, { id: string; consumers: Map<string, object> }>()
  /** Files by key, by bucket. */
  readonly buckets = new Map<string, Map<string, Buffer>>()
  readonly scripts = new Map<string, Script>()
  /** Every request, as `METHOD path`. */
  readonly requests: string[] = []
  /** What happens instead of an answer, by the start of `METHOD path`: an error, or the connection breaks. */
  readonly failing = new Map<string, ApiError | 'connection lost'>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      const answer = (status: number, body: object | Buffer, headers = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers })
        response.end(Buffer.isBuffer(body) ? body : JSON.stringify({ messages: [], ...body }))
      }
      this.#serve(request).then(
        ({ result, more = {}, raw, headers }) =>
          answer(200, raw ?? { success: true, errors: [], result, ...more }, headers),
        (error: unknown) => {
          if (error === 'connection lost') return response.destroy()
          const { status, code, message } = error instanceof ApiError ? error : new ApiError(500, 10_000, String(error))
          return answer(status, { success: false, errors: [{ code, message }], result: null })
        },
      )
    })
  }

  static async start(): Promise<CloudflareApi> {
    const api = new CloudflareApi()
    await new Promise<void>((resolve) => {
      api.#server.listen(0, '127.0.0.1', resolve)
    })
    return api
  }

  /** Environment variables that lead wrangler to this account. */
  get environment(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo
    return { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}/client/v4`, CLOUDFLARE_API_TOKEN: TOKEN }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    this.d1.close()
  }

  /** The version of a Worker that answers requests. */
  live(name: string): Version | undefined {
    const script = this.scripts.get(name)
    return script?.versions.find(({ id }) => id === script.deployments.at(-1))
  }

  async #serve(incoming: IncomingMessage): Promise<ApiAnswer> {
    const url = new URL(incoming.url ?? '', 'http://api')
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const type = incoming.headers['content-type'] ?? ''
    const form = type.startsWith('multipart/') ? await partsOf(Buffer.concat(chunks), type) : null
    const path = decodeURIComponent(url.pathname.replace('/client/v4', ''))
    const bytes = Buffer.concat(chunks)
    const origin = `http://${incoming.headers.host}`
    const request = { origin, method: incoming.method ?? '', path, query: url.searchParams, bytes, form }
    const line = `${request.method} ${path}`
    this.requests.push(line)
    for (const [start, failure] of this.failing) if (line.startsWith(start)) throw failure
    if (path.startsWith(UPLOADS)) {
      this.d1.uploads.set(path.slice(UPLOADS.length), bytes.toString())
      return { result: null, headers: { etag: `"${createHash('md5').update(bytes).digest('hex')}"` } }
    }
    if (incoming.headers.authorization !== `Bearer ${TOKEN}`) throw new ApiError(401, 10_000, 'Authentication error')
    return this.#route(request)
  }

  #route(request: ApiRequest): ApiAnswer {
    const { method, path, query, bytes } = request
    if (path === '/user/tokens/verify') return { result: { id: 't1', status: 'active' } }
    if (path === '/user') return { result: { id: 'u1', email: 'me@example.com' } }
    if (path === '/accounts') return listed([this.account], query)
    if (path === '/memberships') return listed([{ id: 'm1', account: this.account }], query)
    const [, accounts, account, area = '', ...rest] = path.split('/')
    if (accounts !== 'accounts' || account !== this.account.id) throw new ApiError(403, 10_000, 'Authentication error')
    const body = () => JSON.parse(bytes.toString() || '{}') as Record<string, unknown>
    if (area === 'd1') return this.d1.answer(request, rest.slice(1), body)
    if (area === 'storage') return this.#kv(method, query, body)
    if (area === 'queues') return this.#queues(method, query, rest, body)
    if (area === 'r2') return this.#r2(request, rest.slice(1), body)
    if (area === 'workers') return this.#workers(request, rest, body)
    throw notFound(request)
  }

  #kv(method: string, query: URLSearchParams, body: () => Record<string, unknown>) {
    const view = ([id, title]: [string, string]) => ({ id, title, supports_url_encoding: true })
    if (method === 'GET') return listed([...this.namespaces].map(view), query)
    const id = randomUUID().replaceAll('-', '')
    this.namespaces.set(id, String(body().title))
    return { result: view([id, String(body().title)]) }
  }

  #queues(
    method: string,
    query: URLSearchParams,
    [id, consumers, consumer]: string[],
    body: () => Record<string, unknown>,
  ) {
    const view = ([name, queue]: [string, { id: string; consumers: Map<string, object> }]) => ({
      queue_id: queue.id,
      queue_name: name,
      consumers: [...queue.consumers.values()],
      consumers_total_count: queue.consumers.size,
      producers: [],
      producers_total_count: 0,
    })
    if (id === undefined && method === 'GET') {
      const asked = query.getAll('name')
      return listed([...this.queues].filter(([name]) => asked.length === 0 || asked.includes(name)).map(view), query)
    }
    if (id === undefined) {
      const name = String(body().queue_name)
      this.queues.set(name, { id: randomUUID().replaceAll('-', ''), consumers: new Map() })
      return { result: view([name, this.queues.get(name) as never]) }
    }
    const found = [...this.queues].find(([name, queue]) => queue.id === id || name === id)
    if (!found) throw new ApiError(404, 11_000, 'Queue not found')
    if (consumers === undefined) return { result: view(found) }
    if (method === 'GET') return listed([...found[1].consumers.values()], query)
    const key = consumer ?? randomUUID().replaceAll('-', '')
    const { script_name: script } = body()
    found[1].consumers.set(key, { ...body(), consumer_id: key, script, type: 'worker' })
    return { result: found[1].consumers.get(key) }
  }

  #r2({ method, bytes }: ApiRequest, [name, , ...key]: string[], body: () => Record<string, unknown>): ApiAnswer {
    if (name === undefined && method === 'GET')
      return { result: { buckets: [...this.buckets.keys()].map((bucket) => ({ name: bucket })) } }
    if (name === undefined) {
      this.buckets.set(String(body().name), new Map())
      return { result: { name: body().name } }
    }
    const bucket = this.buckets.get(name)
    if (!bucket) throw new ApiError(404, 10_006, 'The specified bucket does not exist.')
    if (key.length > 0 && method === 'PUT') bucket.set(key.join('/'), bytes)
    if (key.length === 0 || method === 'PUT')
      return { result: { name, creation_date: new Date(0).toISOString(), location: 'WEUR', storage_class: 'Standard' } }
    const raw = bucket.get(key.join('/'))
    if (!raw) throw new ApiError(404, 10_007, 'The specified key does not exist.')
    return { result: null, raw }
  }

  #workers(request: ApiRequest, [kind = '', name = '', ...rest]: string[], body: () => Record<string, unknown>) {
    const { method } = request
    const [action, detail] = rest
    if (kind === 'subdomain') return { result: { subdomain: SUBDOMAIN } }
    const script = this.scripts.get(name)
    const missing = () => new ApiError(404, 10_007, 'This Worker does not exist on your account.')
    if (kind === 'scripts' && action === undefined && method === 'PUT') return { result: this.#upload(name, request) }
    if (kind === 'scripts' && action === 'versions' && method === 'POST')
      return { result: this.#upload(name, request, false) }
    if (kind === 'scripts' && action === 'assets-upload-session') return { result: { jwt: 'assets', buckets: [] } }
    if (kind === 'services' || (kind === 'scripts' && action === undefined)) {
      if (!script) throw missing()
      const { migrationTag: tag } = script
      return {
        result: {
          id: name,
          default_environment: {
            environment: 'production',
            script: { tag: name, migration_tag: tag, last_deployed_from: 'wrangler' },
          },
        },
      }
    }
    if (kind === 'workers' && script) {
      if (method !== 'GET') script.subdomain = Boolean((body().subdomain as { enabled?: boolean } | undefined)?.enabled)
      return { result: { id: name, name, subdomain: { enabled: script.subdomain, previews_enabled: false } } }
    }
    if (kind !== 'scripts') throw notFound(request)
    if (!script) throw missing()
    switch (action) {
      case 'subdomain':
        if (method === 'POST') script.subdomain = Boolean(body().enabled)
        return { result: { enabled: script.subdomain, previews_enabled: script.subdomain } }
      case 'secrets': {
        const live = this.live(name)
        if (method === 'PUT' && live) {
          const secrets = new Map([...live.secrets, [String(body().name), String(body().text)]])
          this.#add(script, { ...live, id: randomUUID(), secrets }, true)
          return { result: { name: body().name, type: 'secret_text' } }
        }
        return { result: [...(live?.secrets.keys() ?? [])].map((secret) => ({ name: secret, type: 'secret_text' })) }
      }
      case 'deployments': {
        if (method === 'POST')
          script.deployments.push(String((body().versions as { version_id: string }[])[0]?.version_id))
        const deployments = script.deployments.map(viewDeployment).reverse()
        return { result: method === 'POST' ? deployments[0] : { deployments } }
      }
      case 'versions': {
        const asked = script.versions.find(({ id }) => id === detail)
        if (detail !== undefined && !asked) throw notFound(request)
        return { result: asked ? viewVersion(asked) : { items: script.versions.map(viewVersion) } }
      }
      case 'schedules':
      case 'script-settings':
      case 'settings':
        return { result: method === 'GET' ? { bindings: this.live(name)?.bindings ?? [] } : body() }
      default:
        throw notFound(request)
    }
  }

  /** Stores a version of a Worker; deployed: it answers requests from now on. */
  #upload(name: string, { form }: ApiRequest, deployed = true) {
    if (!form) throw new ApiError(400, 10_021, 'No metadata')
    const metadata = JSON.parse(String(form.get('metadata'))) as {
      main_module: string
      bindings: Record<string, unknown>[]
      migrations?: { new_tag?: string; old_tag?: string }
      keep_bindings?: string[]
    }
    const script: Script = this.scripts.get(name) ?? {
      versions: [],
      deployments: [],
      subdomain: false,
      migrationTag: null,
    }
    const { migrations } = metadata
    if (migrations && (migrations.old_tag ?? null) !== script.migrationTag)
      throw new ApiError(412, 10_079, `The tag of the migrations is not ${migrations.old_tag}.`)
    const bindings = metadata.bindings.map((binding) =>
      binding.type === 'inherit' ? this.#inherited(name, binding) : binding,
    )
    for (const binding of bindings) this.#checkBinding(binding)
    const id = randomUUID()
    const secrets = this.live(name)?.secrets ?? new Map()
    const version = { id, bindings, content: form.get(metadata.main_module) ?? '', secrets }
    this.scripts.set(name, script)
    this.#add(script, version, deployed)
    if (migrations?.new_tag) script.migrationTag = migrations.new_tag
    const { subdomain } = script
    return deployed
      ? { id: name, deployment_id: id, startup_time_ms: 10, tag: name, etag: id, available_on_subdomain: subdomain }
      : { ...viewVersion(version), startup_time_ms: 10 }
  }

  #add(script: Script, version: Version, deployed: boolean): void {
    script.versions.push(version)
    if (deployed) script.deployments.push(version.id)
  }

  /** A binding that is taken over from the version that answers. */
  #inherited(script: string, { name }: Record<string, unknown>): Record<string, unknown> {
    const known = this.live(script)?.bindings.find((binding) => binding.name === name)
    if (!known) throw new ApiError(400, 10_057, `There is no binding ${name} to inherit.`)
    return known
  }

  /** A binding to a resource that doesn't exist is refused. */
  #checkBinding({ type, id, namespace_id, queue_name, bucket_name, name }: Record<string, unknown>): void {
    const known =
      type === 'd1'
        ? this.d1.has(String(id))
        : type === 'kv_namespace'
          ? this.namespaces.has(String(namespace_id))
          : type === 'queue'
            ? this.queues.has(String(queue_name))
            : type === 'r2_bucket'
              ? this.buckets.has(String(bucket_name))
              : true
    if (!known) throw new ApiError(400, 10_021, `The resource of the binding ${name} does not exist.`)
  }
}

/** The parts of a form by name. */
async function partsOf(body: Buffer, type: string): Promise<Map<string, string>> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
  const parts = [...form].map(
    async ([name, part]) => [name, typeof part === 'string' ? part : await part.text()] as const,
  )
  return new Map(await Promise.all(parts))
}

function viewVersion({ id, bindings }: Version) {
  const metadata = { author_email: 'me@example.com', source: 'wrangler', created_on: new Date(0).toISOString() }
  const resources = { bindings, script: { etag: id, handlers: ['fetch'] }, script_runtime: {} }
  return { id, number: 1, metadata, annotations: {}, resources }
}

function viewDeployment(version: string, at: number) {
  return {
    id: `deployment-${at}`,
    source: 'wrangler',
    strategy: 'percentage',
    author_email: 'me@example.com',
    created_on: new Date(at * 60_000).toISOString(),
    versions: [{ version_id: version, percentage: 100 }],
    annotations: {},
  }
}

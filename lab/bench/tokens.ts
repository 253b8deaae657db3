/**
 * `npm run --prefix lab bench:tokens`: measures the tokens of the coordinator's tools and results, compared with other
 * memory servers.
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { variablesOf, withCoordinator } from '../eval/worker.ts'
import { pathGiven } from '../paths.ts'

const HELP = `Usage: npm run --prefix lab bench:tokens -- [options]

Ingests a folder, lists the tools of each tool set of the coordinator and of other MCP memory servers, asks the same questions, and
prints what a model pays: o200k_base tokens of the JSON that a client receives. Results are counted as a model sees them: the
structured content where there is some, else the text. The servers from PyPI run in a virtual environment that the first run
makes, and get their vectors from the coordinator, so that they need no model of their own. A server that cannot be installed or
started gets a row with its error. mcp-memory-service needs a Python whose sqlite3 loads extensions.

Options
  --folder FOLDER  what to ingest (default: the source of this project)
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object
  -h, --help       print this
`

const ROOT = resolve(import.meta.dirname, '../..')
const PROJECT = 'tokens'
const TOOL_SETS = [
  'default',
  'context',
  'knowledge',
  'interactions',
  'routing',
  'training-data',
  'experiments',
  'administration',
  'all',
]
const QUESTIONS = [
  'How is the token budget of an augmented prompt kept?',
  'Where are API keys hashed and compared?',
  'How does a job that failed get retried?',
  'What decides whether the local model answers?',
  'How are near-duplicate passages left out?',
]
/** Number of items for the other servers: the same as the coordinator's, ordered by id. */
const ITEMS = 300
const execute = promisify(execFile)
const tokens = (value: unknown) => countTokens(typeof value === 'string' ? value : JSON.stringify(value))

interface ToolRow {
  readonly server: string
  readonly tools: number
  /** Tokens of the whole list as received. */
  readonly tokens: number
  /** Tokens of names, descriptions and input schemas, which every client passes to its model. */
  readonly shown: number
}

interface ResultRow {
  readonly server: string
  readonly call: string
  /** Tokens for each question; null: the server returned an error. */
  readonly tokens: (number | null)[]
  readonly error?: string
}

export interface TokensTable {
  readonly items: number
  readonly questions: readonly string[]
  readonly tools: readonly ToolRow[]
  readonly results: readonly ResultRow[]
}

type Call = (question: string) => { name: string; arguments: Record<string, unknown> }

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      folder: { type: 'string' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const folder = values.folder === undefined ? join(ROOT, 'src') : pathGiven(values.folder)
    const table = await withCoordinator({ variables: variablesOf(values.variable) }, (http, url) =>
      measure(http, url, folder),
    )
    process.stdout.write(values.json ? `${JSON.stringify(table)}\n` : format(table))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:tokens --')
  }
}

async function measure(http: HttpClient, url: string, folder: string): Promise<TokensTable> {
  const ingest = ['cli/main.ts', 'ingest', folder, '--url', url, '--project', PROJECT, '--json']
  await execute(process.execPath, ingest, { cwd: ROOT, maxBuffer: 64 << 20 })
  const items = await itemsOf(http)
  const tools: ToolRow[] = []
  const results: ResultRow[] = []
  for (const set of TOOL_SETS) {
    const client = await overHttp(`${url}/mcp?tools=${set}`)
    tools.push(await listed(client, `Hybrid Coordinator, ${set}`))
    await client.close()
  }
  const own = await overHttp(`${url}/mcp/${PROJECT}`)
  tools.push(await listed(own, 'Hybrid Coordinator, default, bound to a project'))
  for (const [name, call] of Object.entries(CALLS)) results.push(await asked(own, 'Hybrid Coordinator', name, call))
  await own.close()
  for (const peer of await peers(items, `${url}/v1/embeddings`)) {
    try {
      const client = await peer.connect()
      tools.push(await listed(client, peer.name))
      results.push(await asked(client, peer.name, peer.search('…').name, peer.search, peer.store))
      await client.close()
    } catch (error) {
      results.push({ server: peer.name, call: 'connect', tokens: [], error: String(error).slice(0, 200) })
    } finally {
      await peer.clean()
    }
  }
  return { items: items.length, questions: QUESTIONS, tools, results }
}

/** Five typical calls of the coordinator. */
const CALLS: Readonly<Record<string, Call>> = {
  augment_query: (query) => ({ name: 'augment_query', arguments: { query } }),
  'augment_query, detail index': (query) => ({ name: 'augment_query', arguments: { query, detail: 'index' } }),
  hybrid_search: (query) => ({ name: 'hybrid_search', arguments: { query } }),
  'hybrid_search, limit 20': (query) => ({ name: 'hybrid_search', arguments: { query, limit: 20 } }),
  'search_context, limit 20': (query) => ({
    name: 'search_context',
    arguments: { query, collection: 'codebase-context', limit: 20 },
  }),
  list_knowledge: () => ({ name: 'list_knowledge', arguments: { collection: 'codebase-context' } }),
}

interface Item {
  readonly title: string
  readonly text: string
}

async function itemsOf(http: HttpClient): Promise<Item[]> {
  const { items } = await http.get<{ items: { key: string; fields: { file_path?: string; code_snippet: string } }[] }>(
    `/knowledge/items/codebase-context?project=${PROJECT}&limit=100`,
  )
  const all = [...items]
  let cursor: string | null = null
  while (all.length < ITEMS) {
    const page: { items: typeof items; next_cursor: string | null } = await http.get(
      `/knowledge/items/codebase-context?project=${PROJECT}&limit=100${cursor ? `&cursor=${cursor}` : ''}`,
    )
    if (cursor !== null) all.push(...page.items)
    cursor = page.next_cursor
    if (cursor === null) break
  }
  return all.slice(0, ITEMS).map(({ key, fields }) => ({ title: fields.file_path ?? key, text: fields.code_snippet }))
}

async function overHttp(url: string): Promise<Client> {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return client
}

async function listed(client: Client, server: string): Promise<ToolRow> {
  const { tools } = await client.listTools()
  const shown = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }))
  return { server, tools: tools.length, tokens: tokens({ tools }), shown: tokens({ tools: shown }) }
}

async function asked(
  client: Client,
  server: string,
  call: string,
  make: Call,
  before?: (client: Client) => Promise<void>,
): Promise<ResultRow> {
  const counts: (number | null)[] = []
  try {
    await before?.(client)
    for (const question of QUESTIONS) {
      const { structuredContent, content, isError } = await client.callTool(make(question))
      const texts = (content as { text?: string }[]).map(({ text = '' }) => text).join('\n')
      if (isError) return { server, call, tokens: counts, error: texts.slice(0, 200) }
      counts.push(tokens(structuredContent ?? texts))
    }
    return { server, call, tokens: counts }
  } catch (error) {
    return { server, call, tokens: counts, error: String(error).slice(0, 200) }
  }
}

interface Peer {
  readonly name: string
  readonly search: Call
  connect(): Promise<Client>
  store(client: Client): Promise<void>
  clean(): Promise<void>
}

/**
 * The other servers, each started according to its guide.
 * @param embeddings URL of the embedding endpoint they use
 */
async function peers(items: readonly Item[], embeddings: string): Promise<Peer[]> {
  let made: Promise<string> | undefined
  const program = async (name: string) => {
    made ??= virtualEnvironment()
    return join(await made, name)
  }
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-tokens-'))
  const stdio = async (command: string, args: string[], env: Record<string, string>) => {
    const client = new Client({ name: 'bench', version: '1.0.0' })
    const all = { ...process.env, ...env } as Record<string, string>
    await client.connect(new StdioClientTransport({ command, args, env: all, stderr: 'ignore' }), { timeout: 120_000 })
    return client
  }
  const each = (name: string, make: (item: Item) => Record<string, unknown>) => async (client: Client) => {
    for (const item of items) {
      const { isError, content } = await client.callTool({ name, arguments: make(item) })
      if (isError) throw new Error(JSON.stringify(content).slice(0, 200))
    }
  }
  const server = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-memory/dist/index.js')
  const clean = () => rm(folder, { recursive: true, force: true })
  return [
    {
      name: '@modelcontextprotocol/server-memory',
      connect: () => stdio(process.execPath, [server], { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }),
      // It only finds substrings, so it gets one significant word of the question.
      search: (question) => ({ name: 'search_nodes', arguments: { query: longestWord(question) } }),
      async store(client) {
        const entities = items.map(({ title, text }, i) => ({
          name: `${title}#${i}`,
          entityType: 'code',
          observations: [text],
        }))
        await client.callTool({ name: 'create_entities', arguments: { entities } })
      },
      clean: async () => undefined,
    },
    {
      name: 'mcp-server-qdrant',
      connect: async () =>
        stdio(await program('python'), [join(import.meta.dirname, 'peer_qdrant.py')], {
          QDRANT_LOCAL_PATH: join(folder, 'qdrant'),
          COLLECTION_NAME: 'code',
          EMBEDDINGS_URL: embeddings,
        }),
      search: (question) => ({ name: 'qdrant-find', arguments: { query: question } }),
      store: each('qdrant-store', ({ title, text }) => ({ information: text, metadata: { path: title } })),
      clean: async () => undefined,
    },
    {
      name: 'mcp-memory-service',
      connect: async () =>
        stdio(await program('memory'), ['server'], {
          MCP_MEMORY_STORAGE_BACKEND: 'sqlite_vec',
          MCP_MEMORY_BASE_DIR: join(folder, 'memory'),
          MCP_EXTERNAL_EMBEDDING_URL: embeddings,
          MCP_EXTERNAL_EMBEDDING_MODEL: 'any',
          // Code snippets resemble each other: otherwise it rejects some items that the other servers store.
          MCP_SEMANTIC_DEDUP_ENABLED: 'false',
        }),
      search: (question) => ({ name: 'memory_search', arguments: { query: question } }),
      store: each('memory_store', ({ title, text }) => ({ content: text, metadata: { tags: [title] } })),
      clean,
    },
  ]
}

function longestWord(question: string): string {
  return (question.match(/[a-z]+/gi) ?? []).reduce(
    (longest, word) => (word.length > longest.length ? word : longest),
    '',
  )
}

/** The folder of the programs from PyPI, installed on the first run. */
async function virtualEnvironment(): Promise<string> {
  const folder = join(ROOT, 'lab/node_modules/.cache/peers')
  const bin = join(folder, 'bin')
  if (!existsSync(join(bin, 'mcp-server-qdrant'))) {
    process.stderr.write('Installing mcp-server-qdrant and mcp-memory-service from PyPI…\n')
    await execute(await pythonWithExtensions(), ['-m', 'venv', folder])
    const requirements = join(import.meta.dirname, 'peers-requirements.txt')
    await execute(join(bin, 'pip'), ['install', '--quiet', '--requirement', requirements], { maxBuffer: 64 << 20 })
  }
  return bin
}

/** The first Python whose sqlite3 can load extensions, which not every build supports. Default: `python3`. */
async function pythonWithExtensions(): Promise<string> {
  const probe = 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)'
  for (const python of ['python3', '/usr/bin/python3', '/opt/homebrew/bin/python3']) {
    const loads = await execute(python, ['-c', probe]).then(
      () => true,
      () => false,
    )
    if (loads) return python
  }
  return 'python3'
}

function format({ items, questions, tools, results }: TokensTable): string {
  const widest = Math.max(...tools.map(({ server }) => server.length))
  const number = (value: number | null | undefined) => (value ?? '–').toLocaleString('en').padStart(9)
  const lines = ['tools/list', `  ${''.padEnd(widest)}    tools   tokens    shown`]
  for (const row of tools) {
    lines.push(`  ${row.server.padEnd(widest)}${number(row.tools)}${number(row.tokens)}${number(row.shown)}`)
  }
  lines.push('', `results, tokens for each of ${questions.length} questions (the other servers hold ${items} items)`)
  for (const row of results) {
    const name = `${row.server}, ${row.call}`.padEnd(widest + 12)
    lines.push(`  ${name}${row.tokens.map(number).join('')}${row.error ? `  ${row.error}` : ''}`)
  }
  return `${lines.join('\n')}\n`
}

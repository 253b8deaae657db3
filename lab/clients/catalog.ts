/**
 * The tested clients, with the steps that each must complete.
 * @module
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { createHttpClient, type HttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { AGENTS, type Agent, environmentOf, type Place, runProgram } from './agents.ts'
import { npmPrograms, pythonWith } from './install.ts'
import { ANSWER, type ModelServer, startModelServer } from './model-server.ts'

/** The question, and the text that contains the answer. */
const QUESTION = 'Uploads to the quokka gateway fail with ECONNRESET'
const PASSAGE = 'closes idle sockets after 55 seconds'
const MAIN = join(import.meta.dirname, '../../cli/main.mjs')
const MCP_REMOTE = '0.15.1'
const INSPECTOR = '2.12.0'

/**
 * Steps: it connects and lists the nine tools; a call returns the passage; an invalid call returns the error; an
 * agent's prompt gets the passage automatically; the answer is tracked with it; the outcome is reported.
 */
export const STEPS = ['connect', 'call', 'error', 'context', 'tracked', 'outcome'] as const
export type Step = (typeof STEPS)[number]

/** Completed steps. Steps that don't apply to a client are missing. */
export type Seen = Partial<Record<Step, boolean>>

/** The coordinator, with one note in the client's project. */
export interface Target {
  readonly worker: LocalWorker
  readonly http: HttpClient
  readonly project: string
}

/** A client. */
export interface Tried {
  readonly name: string
  readonly version: string
  /** The protocol it uses. */
  readonly over: string
  /** @returns undefined if it is not installed */
  find(folder: string, install: boolean): Promise<string | undefined>
  /** Variables of the Worker, if the client needs a model behind it. */
  variables?(model: ModelServer): Record<string, string>
  tryOut(program: string, target: Target, model: ModelServer): Promise<Seen>
}

/** A Python client with its script. */
function python(name: string, requirement: string, script: string, over = 'MCP'): Tried {
  return {
    name,
    version: requirement.split('==')[1] ?? '',
    over,
    find: (folder, install) => pythonWith(folder, requirement, install),
    async tryOut(interpreter, target) {
      const { out } = await runProgram(
        interpreter,
        [join(import.meta.dirname, 'python', script), addressOf(target), QUESTION],
        { cwd: tmpdir(), env: environmentOf(tmpdir(), { MCP_USE_ANONYMIZED_TELEMETRY: 'false' }) },
      )
      const line = out.split('\n').findLast((one) => one.startsWith('{"version"'))
      if (!line) throw new Error(out.slice(-2_000))
      const seen = JSON.parse(line) as { tools: string[]; call: string; error: string; interaction_id: string }
      return seenOf(target, seen)
    },
  }
}

const addressOf = ({ worker, project }: Target) => `${worker.url}/mcp/${project}`

/** Evaluates the results of a client that ran the whole loop itself. */
async function seenOf(
  target: Target,
  { tools, call, error, interaction_id }: { tools: string[]; call: string; error: string; interaction_id: string },
): Promise<Seen> {
  const kept = await interactionOf(target, interaction_id)
  return {
    connect: tools.length === 9 && tools.includes('augment_query'),
    call: call.includes(PASSAGE),
    error: error.includes('outcome') && !error.includes('success"}'),
    tracked: kept?.contexts.length === 1,
    outcome: kept?.outcome === 'success',
  }
}

interface Interaction {
  interaction_id: string
  outcome: string | null
  contexts: unknown[]
}

function interactionOf({ http }: Target, id: string): Promise<Interaction | undefined> {
  return http.get<Interaction>(`/interactions/${id}`).catch(() => undefined)
}

/** Texts of a result. */
const textsOf = (content: unknown) => (content as { text?: string }[]).map(({ text = '' }) => text).join('\n')

/** Runs the loop through a program that speaks MCP over stdio. */
const mcpRemote: Tried = {
  name: 'mcp-remote',
  version: MCP_REMOTE,
  over: 'MCP, stdio',
  find: async (folder, install) => {
    const programs = await npmPrograms(folder, `mcp-remote@${MCP_REMOTE}`, install)
    return programs && join(programs, 'mcp-remote')
  },
  async tryOut(program, target) {
    const client = new Client({ name: 'clients', version: '1.0.0' })
    const home = await mkdtemp(join(tmpdir(), 'clients-'))
    const env = environmentOf(home, { MCP_REMOTE_CONFIG_DIR: home }) as Record<string, string>
    await client.connect(
      new StdioClientTransport({ command: program, args: [addressOf(target)], env, stderr: 'ignore' }),
    )
    try {
      const { tools } = await client.listTools()
      const call = async (name: string, input: Record<string, unknown>) => {
        const { content, isError, structuredContent } = await client.callTool({ name, arguments: input })
        return { text: textsOf(content), isError, found: (structuredContent ?? {}) as Record<string, unknown> }
      }
      const { text, found } = await call('augment_query', { query: QUESTION })
      const { found: tracked } = await call('track_interaction', {
        query: QUESTION,
        response: 'As the note says.',
        agent_type: 'remote',
        model_used: 'test',
        context_ids: found.context_ids,
        retrieval_id: found.retrieval_id,
      })
      const interaction_id = String(tracked.interaction_id)
      await call('update_outcome', { interaction_id, outcome: 'success' })
      const wrong = await call('update_outcome', { interaction_id, outcome: 'splendid' })
      return await seenOf(target, {
        tools: tools.map(({ name }) => name),
        call: text,
        error: wrong.isError ? wrong.text : '',
        interaction_id,
      })
    } finally {
      await client.close()
      await rm(home, { recursive: true, force: true })
    }
  },
}

/** One call per process. */
const inspector: Tried = {
  name: 'MCP Inspector, --cli',
  version: INSPECTOR,
  over: 'MCP',
  find: async (folder, install) => {
    const programs = await npmPrograms(folder, `@modelcontextprotocol/inspector@${INSPECTOR}`, install)
    return programs && join(programs, 'mcp-inspector')
  },
  async tryOut(program, target) {
    const home = await mkdtemp(join(tmpdir(), 'clients-'))
    const call = async (...parameters: string[]) => {
      const options = { cwd: home, env: environmentOf(home, {}) }
      const { out } = await runProgram(
        program,
        ['--cli', addressOf(target), '--transport', 'http', '--method', ...parameters],
        options,
      )
      return out
    }
    const tool = (name: string, input: Readonly<Record<string, string>>) =>
      call(
        'tools/call',
        '--tool-name',
        name,
        ...Object.entries(input).flatMap(([field, value]) => ['--tool-arg', `${field}=${value}`]),
      )
    try {
      const listed = await call('tools/list')
      const found = await tool('augment_query', { query: QUESTION })
      const id = /error-solutions\/[0-9a-f-]{36}/.exec(found)?.[0] ?? ''
      const tracked = await tool('track_interaction', {
        query: QUESTION,
        response: 'As the note says.',
        agent_type: 'remote',
        model_used: 'test',
        context_ids: JSON.stringify([id]),
      })
      const interaction_id = /interaction_id\W+([0-9a-f-]{36})/.exec(tracked)?.[1] ?? ''
      await tool('update_outcome', { interaction_id, outcome: 'success' })
      return await seenOf(target, {
        tools: [...listed.matchAll(/"name": "(\w+)"/g)].map(([, name = '']) => name),
        call: found,
        error: await tool('update_outcome', { interaction_id, outcome: 'splendid' }),
        interaction_id,
      })
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  },
}

/** An agent with hooks and tools: one question, and a second message that the answer works. */
function agent(one: Agent): Tried {
  return {
    name: one.title,
    version: one.version,
    over: one.client === 'opencode' ? 'plugin, MCP' : 'hooks, MCP',
    find: (folder, install) => agentProgram(one, folder, install),
    async tryOut(program, target, model) {
      return inPlace(async (place) => {
        const env = environmentOf(place.home, await one.prepare({ ...place, model: model.url }))
        const run = (name: string, parameters: string[]) => runProgram(name, parameters, { cwd: place.folder, env })
        const connected = await run(process.execPath, [
          ...[MAIN, 'connect', one.client, '--dir', place.folder, '--tools'],
          ...['--url', target.worker.url, '--project', target.project],
        ])
        if (connected.code !== 0) throw new Error(connected.out)
        const where = { ...place, model: model.url }
        const first = await run(program, one.message(QUESTION, false, where))
        // Agents also ask small models for titles. The real question is the request that offers the tools.
        const asked = model.seen.filter((body) => /augment_query"/.test(body))
        if (asked.length === 0) throw new Error(first.out.slice(-2_000) || `${program} ended without a word`)
        await run(program, one.message('That works, thanks.', true, where))
        const kept = await lastOf(target, one.client)
        return {
          connect: true,
          call: asked.some((body) => countOf(body, PASSAGE) > countOf(asked[0] ?? '', PASSAGE)),
          error: asked.some((body) => body.includes('No interaction with this interaction_id')),
          context: (asked[0] ?? '').includes(PASSAGE),
          tracked: kept?.contexts.length === 1,
          outcome: kept?.outcome === 'success',
        }
      })
    },
  }
}

/** Codex with the coordinator itself as its model: the context comes through /v1/responses. */
const codexOverResponses: Tried = {
  ...agent(AGENTS[1] as Agent),
  over: '/v1/responses',
  variables: (model) => ({ LLAMA_CPP_BASE_URL: `${model.url}/v1`, LLAMA_CPP_MODEL: 'fake' }),
  async tryOut(program, target, model) {
    return inPlace(async (place) => {
      const codex = AGENTS[1] as Agent
      const where = { ...place, model: target.worker.url }
      const env = environmentOf(place.home, await codex.prepare(where))
      const header = { 'X-Hybrid-Project': target.project }
      const { out } = await runProgram(
        program,
        [
          '-c',
          `model_providers.fake.http_headers={${Object.entries(header).map(([name, value]) => `"${name}"="${value}"`)}}`,
          ...codex.message(QUESTION, false, where),
        ],
        { cwd: place.folder, env },
      )
      const kept = await lastOf(target)
      const said = out.includes(ANSWER)
      if (!said) throw new Error(out.slice(-2_000))
      return {
        connect: said,
        context: model.seen.some((body) => body.includes(PASSAGE)),
        tracked: kept?.contexts.length === 1,
      }
    })
  },
}

const countOf = (text: string, part: string) => text.split(part).length - 1

async function lastOf({ http, project }: Target, tag?: string): Promise<Interaction | undefined> {
  const query = new URLSearchParams({ project, limit: '20', ...(tag && { tags: tag }) })
  const { interactions } = await http.get<{ interactions: { interaction_id: string; query: string }[] }>(
    `/interactions?${query}`,
  )
  const found = interactions.find(({ query: asked }) => asked.includes(QUESTION))
  return found && http.get<Interaction>(`/interactions/${found.interaction_id}`)
}

async function inPlace<T>(work: (place: Omit<Place, 'model'>) => Promise<T>): Promise<T> {
  const base = await mkdtemp(join(tmpdir(), 'clients-'))
  const place = { folder: join(base, 'project'), home: join(base, 'home') }
  try {
    await mkdir(place.folder)
    await mkdir(place.home)
    await runProgram('git', ['init', '-q'], { cwd: place.folder, env: environmentOf(place.home, {}) })
    return await work(place)
  } finally {
    await rm(base, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function agentProgram(one: Agent, folder: string, install: boolean): Promise<string | undefined> {
  const programs = await npmPrograms(folder, `${one.package}@${one.version}`, install)
  const program = programs && join(programs, one.program)
  return program && existsSync(program) ? program : undefined
}

/** All clients, MCP-only ones first. */
export const TRIED: readonly Tried[] = [
  python('Python mcp 1', 'mcp==1.30.0', 'mcp_1.py'),
  python('Python mcp 2', 'mcp==2.3.0', 'mcp_2.py'),
  python('fastmcp', 'fastmcp==4.2.3', 'fastmcp_client.py'),
  python('mcp-use', 'mcp-use==1.7.1', 'mcp_use_client.py'),
  python('langchain-mcp-adapters', 'langchain-mcp-adapters==0.3.2', 'langchain_client.py'),
  inspector,
  mcpRemote,
  ...AGENTS.map(agent),
  codexOverResponses,
]

/** Tests one client against its own Worker. */
export async function tryClient(client: Tried, program: string, bundle?: string): Promise<Seen> {
  const model = await startModelServer([
    { name: 'augment_query', arguments: { query: QUESTION } },
    {
      name: 'update_outcome',
      // Valid according to its schema, which some clients check themselves.
      arguments: { interaction_id: '00000000-0000-7000-8000-000000000000', outcome: 'success' },
    },
  ])
  const worker = await startLocalWorker({
    ...(bundle && { bundle }),
    variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0', ...client.variables?.(model) },
  })
  try {
    const http = createHttpClient({ url: worker.url })
    const project = 'tried'
    await http.post('/knowledge/items', {
      project,
      collection: 'error-solutions',
      items: [
        {
          fields: {
            error_message: 'ECONNRESET while uploading to the quokka gateway',
            solution: `The quokka gateway ${PASSAGE}: set keepAliveTimeout to 50 seconds.`,
          },
        },
      ],
    })
    return await client.tryOut(program, { worker, http, project }, model)
  } finally {
    await worker.stop()
    await model.close()
  }
}

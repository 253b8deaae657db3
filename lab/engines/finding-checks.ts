/**
 * The check of each finding. Findings about relevance are measured by `eval:embedders`, those about `eval:retrieval` by
 * that command.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpClient, HttpError, type LocalWorker } from '../../cli/harness.ts'
import type { Seen, World } from './findings.ts'
import { startQdrantProxy } from './qdrant-proxy.ts'
import { SOLVED } from './solved-questions.ts'
import { lockedQdrant, loginPage, oldQdrant, rubbish, slowEmbedder, talkative } from './stand-ins.ts'

interface Check {
  readonly number: string
  readonly title: string
  readonly run: (world: World) => Promise<Seen>
}

const PROJECT = 'findings'
const BEST = 'best-practices'

interface Collections {
  readonly collections: { readonly name: string; readonly items: number; readonly with_vector: number }[]
}

const collectionOf = async (http: HttpClient, name: string) =>
  (await http.get<Collections>(`/collections?project=${PROJECT}`)).collections.find((one) => one.name === name)

const texts = (count: number, about = 'Rule number') =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, fields: { description: `${about} ${i} of the house.` } }))

const store = (http: HttpClient, items: object[], project = PROJECT) =>
  http.post<{ results: { context_id: string }[] }>('/knowledge/items', { project, collection: BEST, items })

/** Status of the job of a kind after the given seconds of work. */
async function jobAfter(http: HttpClient, worker: LocalWorker, kind: string, seconds: number): Promise<string> {
  const end = performance.now() + seconds * 1_000
  let seen = 'no job'
  while (performance.now() < end) {
    await http.post('/learning/process', { project: PROJECT }).catch(() => undefined)
    const [row] = await worker.query('SELECT status, last_error FROM jobs WHERE kind = ?', kind)
    if (row) seen = `${row.status}${row.last_error ? ` (${row.last_error})` : ''}`
    if (row?.status === 'done') break
    await sleep(500)
  }
  return seen
}

/** The result of a call, as status and text. */
const outcomeOf = (call: Promise<unknown>): Promise<{ status: number; text: string }> =>
  call.then(
    (answer) => ({ status: 200, text: JSON.stringify(answer) }),
    (error: unknown) => {
      if (error instanceof HttpError) return { status: error.status, text: error.message }
      throw error
    },
  )

interface Dependency {
  readonly name: string
  readonly state: string
  readonly error: string | null
}

/** The state of one dependency in /ready. */
async function readiness(world: World, name: string, variables: Readonly<Record<string, string>>): Promise<Dependency> {
  const { worker } = await world.start(variables)
  const response = await fetch(`${worker.url}/ready`)
  const { dependencies, detail } = (await response.json()) as { dependencies?: Dependency[]; detail?: string }
  if (!dependencies) return { name, state: 'refused', error: detail ?? null }
  return dependencies.find((one) => one.name === name) ?? { name, state: 'absent', error: null }
}

async function foreignIds({ qdrant, start }: World): Promise<Seen> {
  if (!qdrant) return null
  const { http, worker } = await start({ QDRANT_URL: qdrant, HIGH_VALUE_THRESHOLD: '0' })
  const { results } = await store(http, [{ fields: { description: 'Reload nginx after every change.' } }])
  const ids = [results[0]?.context_id ?? '', `${BEST}/none`]
  const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', {
    project: PROJECT,
    query: 'How do I change nginx?',
    response: 'Edit the file and reload.',
    agent_type: 'remote',
    model_used: 'm',
    context_ids: ids,
  })
  await http.post('/update_outcome', { interaction_id, outcome: 'success' })
  const scored = await jobAfter(http, worker, 'score_interaction', 20)
  const page = await http.get<{ items: { success_rate: number | null }[] }>(
    `/knowledge/items/${BEST}?project=${PROJECT}`,
  )
  const read = await outcomeOf(http.post('/context/items', { project: PROJECT, context_ids: ids }))
  const credited = page.items.filter(({ success_rate }) => success_rate !== null).length
  return {
    holds: scored === 'done' && credited === 1 && read.status === 200,
    seen: `score_interaction ${scored}, ${credited} of 1 item credited, get_context_items ${read.status}${read.status === 200 ? '' : ` ${read.text}`}`,
  }
}

async function slowServer({ real, embedder, start, keep }: World): Promise<Seen> {
  if (real && !embedder) return null
  const slow = await keep(slowEmbedder(1_500, 384, embedder))
  const { http } = await start({
    EMBEDDER: 'llama.cpp',
    LLAMA_CPP_EMBEDDINGS_URL: slow.url,
    EMBEDDING_MODEL: 'all-MiniLM-L6-v2',
    EMBEDDING_DIMENSIONS: '384',
  })
  const started = performance.now()
  const answer = await outcomeOf(store(http, texts(40)))
  const told = /"pending_vectors":(\d+)/.exec(answer.text)?.[1]
  let with_vector = 0
  while (with_vector < 40 && performance.now() - started < 120_000) {
    await sleep(2_000)
    with_vector = (await collectionOf(http, BEST))?.with_vector ?? 0
  }
  const seconds = Math.round((performance.now() - started) / 1_000)
  return {
    holds: with_vector === 40,
    seen: `${with_vector} of 40 items have a vector after ${seconds} s; the answer said that ${told ?? 'an unknown number'} wait`,
  }
}

async function lateAnswer({ real, chat, start, keep, before }: World): Promise<Seen> {
  if (real && !chat) return null
  const url = chat ?? (await keep(talkative(200))).url
  const { http } = await start({
    LLAMA_CPP_BASE_URL: url,
    // A project without outcomes takes its local model only to explore, here in every second request.
    ROUTING_EXPLORATION: '0.5',
    ...(before ? {} : { EXPERIMENTS_FROM_OUTCOMES: '0', GENERATION_SECONDS: '20' }),
  })
  let started: number
  let answer: {
    response: string | null
    generation: { finish?: string } | null
    decision: { fallbacks?: readonly unknown[] }
  }
  let tries = 0
  do {
    started = performance.now()
    answer = await http.post('/route_query', {
      project: PROJECT,
      query: 'Tell me everything about reverse proxies, in as many chapters as you can, and never stop.',
      generate_response: true,
    })
  } while (answer.response === null && !answer.decision.fallbacks?.length && ++tries < 20)
  const { response, generation, decision } = answer
  const seconds = Math.round((performance.now() - started) / 1_000)
  const kept = response?.length ?? 0
  return {
    holds: kept > 0,
    seen: `${kept} characters kept after ${seconds} s${generation?.finish ? `, finish ${generation.finish}` : ''}${kept === 0 ? `; ${JSON.stringify(decision.fallbacks ?? '').slice(0, 140)}` : ''}`,
  }
}

async function weakModel({ real, chat, start, keep }: World): Promise<Seen> {
  if (real && !chat) return null
  const url = chat ?? (await keep(rubbish())).url
  const { http, worker } = await start({ LLAMA_CPP_BASE_URL: url, HIGH_VALUE_THRESHOLD: '0' })
  const { query, response } = SOLVED[0] ?? { query: '', response: '' }
  const exchange = { project: PROJECT, query, response, agent_type: 'remote', model_used: 'a person' }
  const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', exchange)
  await http.post('/update_outcome', { interaction_id, outcome: 'success' })
  const learnt = await jobAfter(http, worker, 'learn_pattern', 150)
  const page = await http.get<{ items: { fields: Record<string, unknown> }[] }>(
    `/knowledge/items/skills-patterns?project=${PROJECT}`,
  )
  const fields = page.items[0]?.fields ?? {}
  const said = String(fields.description ?? fields.solution_approach ?? '').replace(/\s+/g, ' ')
  return {
    holds: learnt === 'done' && /nginx|proxy|location/i.test(said),
    seen: `learn_pattern ${learnt}; by ${fields.extracted_by ?? 'nobody'}: "${said.slice(0, 110)}"`,
  }
}

async function misleading(world: World): Promise<Seen> {
  const page = await world.keep(loginPage())
  const embedderAt = (url: string) => ({
    EMBEDDER: 'llama.cpp',
    LLAMA_CPP_EMBEDDINGS_URL: url,
    EMBEDDING_MODEL: 'bge-small-en-v1.5',
  })
  const tries: [string, string, Readonly<Record<string, string>>, RegExp][] = []
  if (!world.real) {
    tries.push(['login page as chat server', 'local_model', { LLAMA_CPP_BASE_URL: page.url }, /web page/])
    tries.push([
      'half a pair of Access settings',
      'local_model',
      { LLAMA_CPP_BASE_URL: page.url, LLAMA_CPP_ACCESS_CLIENT_ID: 'x' },
      /ACCESS_CLIENT_SECRET/,
    ])
    tries.push(['login page before Qdrant', 'knowledge_store', { QDRANT_URL: page.url }, /web page/])
  }
  if (world.real && world.chat)
    tries.push(['chat server named as embedder', 'embedder', embedderAt(world.chat), /numbers|embeddings|status/])
  if (world.qdrant) {
    const [locked, old] = [
      await world.keep(lockedQdrant(world.qdrant, 'right')),
      await world.keep(oldQdrant(world.qdrant)),
    ]
    tries.push(['wrong key of Qdrant', 'knowledge_store', { QDRANT_URL: locked.url, QDRANT_API_KEY: 'wrong' }, /key/])
    tries.push(['Qdrant 1.17', 'knowledge_store', { QDRANT_URL: old.url }, /1\.17/])
  }
  if (tries.length === 0) return null
  const lines: string[] = []
  let holds = true
  for (const [what, name, variables, named] of tries) {
    const dependency = await readiness(world, name, variables).catch(
      (error: unknown): Dependency => ({ name, state: 'refused', error: String(error) }),
    )
    const good = dependency.state !== 'ok' && named.test(dependency.error ?? '')
    holds &&= good
    lines.push(`${what}: ${dependency.state}${dependency.error ? `, "${dependency.error.slice(0, 90)}"` : ''}`)
  }
  return { holds, seen: lines.join('; ') }
}

async function manyClients({ qdrant, start, keep }: World): Promise<Seen> {
  if (!qdrant) return null
  const proxy = await keep(startQdrantProxy(qdrant))
  const { http } = await start({ QDRANT_URL: proxy.url, INGEST_ITEMS_PER_DAY: '0', INGEST_BYTES_PER_DAY: '0' })
  // The first store creates the collections. Only the requests for the first item of another project are counted.
  await store(http, texts(1, 'First of all'), 'another')
  proxy.costs.clear()
  await store(http, texts(1, 'Second of all'))
  const calls = [...proxy.costs.values()].reduce((sum, { calls: some }) => sum + some, 0)
  let refused = 0
  await Promise.all(
    Array.from({ length: 8 }, async (_, client) => {
      for (let batch = 0; batch < 4; batch++) {
        const { status } = await outcomeOf(store(http, texts(100, `Client ${client}, batch ${batch}, rule`)))
        if (status === 503) refused++
      }
    }),
  )
  return {
    holds: refused === 0,
    seen: `${refused} of 32 batches of 100 refused with 8 clients; ${calls} calls for the first item of a project`,
  }
}

async function givenUp({ qdrant, start }: World): Promise<Seen> {
  if (!qdrant) return null
  const { http } = await start({ QDRANT_URL: qdrant, RELEVANCE_THRESHOLD: '0' })
  const items = texts(3, 'How to reload the proxy, part').map(({ key, fields }) => ({
    key,
    fields: { file_path: 'a.md', code_snippet: fields.description },
  }))
  await http.post('/knowledge/documents', {
    project: PROJECT,
    source: 's',
    documents: [{ path: 'a.md', hash: 'h', items }],
  })
  await http.post('/augment_query', { project: PROJECT, query: 'How do I reload the proxy?' })
  await sleep(500)
  const stats = await http.get<Record<string, unknown>>(`/stats?project=${PROJECT}`)
  const tokens = Number(/"whole_documents":\{"tokens":(\d+)/.exec(JSON.stringify(stats))?.[1] ?? 0)
  const page = await readFile(join(import.meta.dirname, '../../docs/engines.md'), 'utf8')
  return {
    holds: tokens > 0 && /search at the moment of a write/.test(page),
    seen: `whole_documents ${tokens} tokens after one augmentation from a document`,
  }
}

async function deletedAndBack({ qdrant, start, before }: World): Promise<Seen> {
  if (!qdrant) return null
  const { http: onQdrant } = await start({ QDRANT_URL: qdrant })
  const { results } = await store(onQdrant, texts(5))
  const move = async (from: string, to: string, more: object) => {
    let position: unknown
    do {
      const step: { next: unknown } = await onQdrant.post('/knowledge/migrate', {
        project: PROJECT,
        collection: BEST,
        from,
        to,
        ...more,
        ...(position !== undefined && position !== null && { position }),
      })
      position = step.next
    } while (position)
  }
  await move('qdrant', 'embedded', {})
  await onQdrant.delete(`/knowledge/items/${results[0]?.context_id}?project=${PROJECT}`)
  await move('qdrant', 'embedded', before ? {} : { prune: true })
  const { summaries } = await onQdrant.post<{
    summaries: { from: { items: number }; to: { items: number }; equal: boolean }
  }>('/knowledge/migrate', { project: PROJECT, collection: BEST, from: 'qdrant', to: 'embedded', verify: true })
  return {
    holds: summaries.equal,
    seen: `Qdrant holds ${summaries.from.items} items and the embedded store ${summaries.to.items}, ${summaries.equal ? 'equal' : 'different'}`,
  }
}

async function page({ folder, real }: World): Promise<Seen> {
  if (real) return null
  const text = await readFile(join(folder, 'docs/engines.md'), 'utf8')
  const missing = ['xllamacpp', 'LLAMA_CPP_BUILD_JOBS'].filter((word) => !text.includes(word))
  return {
    holds: missing.length === 0,
    seen: missing.length === 0 ? 'docs/engines.md tells both' : `docs/engines.md lacks ${missing.join(' and ')}`,
  }
}

export const CHECKS: readonly Check[] = [
  { number: '1', title: 'An id that is no UUID among the context ids, on Qdrant', run: foreignIds },
  { number: '2', title: 'An embedding server that takes 1.5 s a text', run: slowServer },
  { number: '3', title: 'A model that does not come to an end, asked through route_query', run: lateAnswer },
  { number: '4', title: 'A weak model extracts a pattern', run: weakModel },
  { number: '6', title: 'Engines that are set up wrongly', run: misleading },
  { number: '7', title: 'Eight clients store batches at once, on Qdrant', run: manyClients },
  { number: '8', title: 'Whole documents are counted, on Qdrant', run: givenUp },
  { number: '9', title: 'An item is deleted between two migrations', run: deletedAndBack },
  { number: '11', title: 'The page for those who try it', run: page },
]

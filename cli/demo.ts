/**
 * `npm run demo`: the whole loop on a real code base, from the perspective of an MCP client.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DemoClient } from './demo/client.ts'
import { CORRECTION, KNOWLEDGE, QUESTIONS, ROUTED } from './demo/script.ts'
import { parseOptions } from './ingest/options.ts'
import { ingest } from './ingest.ts'
import { parseArguments, reportUsage } from './shared/args.ts'
import { createHttpClient } from './shared/http.ts'
import { startLocalWorker } from './shared/local-worker.ts'
import { count, duration, style as styled } from './shared/terminal.ts'

const ROOT = join(import.meta.dirname, '..')
const PROJECT = 'demo'
const HELP = `Usage: npm run demo -- [options]

Starts the coordinator, ingests a code base that npm has installed and this project's own documents, then asks, answers,
tracks, scores and exports as an agent would, printing each step with its figures. Nothing is left behind.

Options
  --keep         leave the coordinator running at the end, until Ctrl-C
  -h, --help     print this
`

const style = (format: Parameters<typeof styled>[0], text: string) => styled(format, text, process.stdout)
const print = (line = '') => process.stdout.write(`${line}\n`)
const ms = (milliseconds: number) => style('gray', `${milliseconds.toFixed(0)} ms`)
let step = 0
const heading = (text: string) => print(`\n${style(['bold', 'cyan'], `${++step}. ${text}`)}`)

/** Runs the command. Exit codes: 0 every step succeeded, 1 a step failed. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, { keep: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    return await demo(values.keep === true)
  } catch (error) {
    return reportUsage(error, 'demo --')
  }
}

/**
 * Runs the whole loop against a running coordinator, in the project `demo`.
 * @returns number of tool calls
 */
export async function walkLoop(url: string): Promise<number> {
  await ingestAll(url)
  const client = await DemoClient.connect(url)
  heading('Connect as an MCP client')
  const tools = await client.toolNames()
  print(`   protocol ${client.protocol}, ${tools.length} tools: ${style('gray', tools.join(', '))}`)
  await storeKnowledge(client)
  const tracked = await mainLoop(client, url)
  await scores(client, tracked)
  await correction(client, tracked)
  await routing(client)
  await conversation(client)
  await dataset(client, url)
  await summary(client, url)
  await client.close()
  return client.calls
}

async function demo(keep: boolean): Promise<number> {
  const started = performance.now()
  heading('Start the coordinator (one Worker, embedded defaults, no key, no model)')
  const worker = await startLocalWorker({ port: keep ? 8787 : 0, variables: { HOLD_OUT_SHARE: '0' } })
  try {
    print(`   ready at ${worker.url} after ${duration((performance.now() - started) / 1000)}`)
    const calls = await walkLoop(worker.url)
    print(
      `\n${style(['bold', 'green'], 'All steps succeeded')}: ${calls} tool calls, ${duration((performance.now() - started) / 1000)} in all.`,
    )
    nextSteps(keep ? worker.url : 'http://127.0.0.1:8787', keep)
    if (keep) await new Promise((resolve) => process.once('SIGINT', resolve))
    return 0
  } catch (error) {
    print(
      `\n${style(['bold', 'red'], `Step ${step} failed`)}: ${error instanceof Error ? error.message : String(error)}`,
    )
    return 1
  } finally {
    await worker.stop()
  }
}

async function ingestAll(url: string): Promise<void> {
  heading("Ingest a code base that npm has installed, and this project's own documents")
  const folders = [
    ['node_modules/hono/dist', '--source', 'hono', '--exclude', 'cjs/', '--exclude', '*.d.ts'],
    ['.', '--source', 'hybrid-coordinator-docs', '--include', '*.md', '--exclude', 'node_modules/'],
  ]
  for (const [folder = '', ...options] of folders) {
    const path = join(ROOT, folder)
    if (!existsSync(path)) throw new Error(`${folder} is missing; run npm install`)
    const parsed = parseOptions([path, ...options, '--project', PROJECT, '--url', url], {})
    if (!parsed) throw new Error('unreachable: no help was asked for')
    const report = await ingest(parsed)
    if (report.failure || report.chunks.added === 0)
      throw new Error(`${folder}: ${report.failure ?? 'nothing was ingested'}`)
    print(
      `   ${folder}: ${count(report.files.found)} files, ${count(report.chunks.added)} chunks in ${duration(report.seconds)}`,
    )
  }
}

async function storeKnowledge(client: DemoClient): Promise<void> {
  heading('Store what the team knows: practices, errors and their solutions, patterns')
  for (const { collection, items } of KNOWLEDGE) {
    const { totals, milliseconds } = await client.call<{ totals: { indexed: number; rejected: number } }>(
      'store_knowledge',
      {
        project: PROJECT,
        collection,
        items,
      },
    )
    if (totals.rejected > 0 || totals.indexed !== items.length)
      throw new Error(`${collection}: ${JSON.stringify(totals)}`)
    print(`   ${collection}: ${totals.indexed} stored ${ms(milliseconds)}`)
  }
}

interface Augmented {
  context_ids: string[]
  retrieval_id: string
  contexts: { title: string; collection: string; probability: number; tokens: number; tokens_whole: number }[]
  token_count: number
  best_probability: number | null
  latency_ms: number
}

interface Tracked {
  query: string
  interactionId: string
  outcome: string
}

async function mainLoop(client: DemoClient, url: string): Promise<Tracked[]> {
  // REST answers include the figures of each passage. Tool results omit them to save tokens.
  const http = createHttpClient({ url })
  heading(`Ask ${QUESTIONS.length} questions: augment, answer, track, report the outcome`)
  const tracked: Tracked[] = []
  for (const { query, answer, outcome, feedback } of QUESTIONS) {
    const augmented = await http.post<Augmented>('/augment_query', { project: PROJECT, query })
    print(`\n   ${style('bold', query)} ${ms(augmented.latency_ms)}`)
    for (const { title, collection, probability, tokens, tokens_whole } of augmented.contexts) {
      const share = tokens < tokens_whole ? ` of ${tokens_whole}` : ''
      print(
        `     ${style('green', probability.toFixed(2))} ${title.slice(0, 70)} ${style('gray', `${collection}, ${tokens}${share} tokens`)}`,
      )
    }
    if (augmented.contexts.length === 0) {
      print(
        `     ${style('yellow', 'no context')} ${style('gray', `nothing is relevant (best probability ${augmented.best_probability?.toFixed(2) ?? 'none'})`)}`,
      )
    }
    if (answer === null) {
      if (augmented.contexts.length > 0)
        throw new Error(`context was injected into a question that nothing stored answers: ${query}`)
      continue
    }
    const { interaction_id } = await client.call<{ interaction_id: string }>('track_interaction', {
      project: PROJECT,
      query,
      response: answer,
      agent_type: 'remote',
      model_used: 'scripted-agent',
      context_ids: augmented.context_ids,
      retrieval_id: augmented.retrieval_id,
      latency_ms: augmented.latency_ms,
    })
    const { status } = await client.call<{ status: string }>('update_outcome', {
      interaction_id,
      outcome,
      ...(feedback !== undefined && { user_feedback: feedback }),
    })
    print(`     answered, tracked, outcome ${outcome} ${style('gray', status)}`)
    tracked.push({ query, interactionId: interaction_id, outcome: outcome ?? '' })
  }
  const answered = QUESTIONS.filter(({ answer }) => answer !== null).length
  if (tracked.length !== answered) throw new Error(`${tracked.length} of ${answered} interactions were tracked`)
  return tracked
}

interface Interaction {
  outcome: string | null
  value_score: number | null
  value_parts: Record<string, number> | null
}

async function scores(client: DemoClient, tracked: readonly Tracked[]): Promise<void> {
  heading('The queue scores each interaction in the background')
  for (const { query, interactionId } of tracked) {
    const { value_score, value_parts, outcome } = await scored(client, interactionId)
    const parts = Object.entries(value_parts ?? {}).map(([name, value]) => `${name} ${value.toFixed(2)}`)
    const score = value_score ?? 0
    print(
      `   ${style(score >= 0.7 ? 'green' : 'yellow', score.toFixed(2))} ${query.slice(0, 50).padEnd(50)} ${outcome?.padEnd(8)} ${style('gray', parts.join(', '))}`,
    )
  }
}

async function scored(client: DemoClient, interaction_id: string): Promise<Interaction> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const interaction = await client.call<Interaction>('get_interaction', { interaction_id })
    if (interaction.value_score !== null) return interaction
    if (performance.now() > deadline) throw new Error(`interaction ${interaction_id} was not scored within 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

async function correction(client: DemoClient, tracked: readonly Tracked[]): Promise<void> {
  heading('Correct an answer, and find the correction at once')
  const interaction = tracked.find(({ query }) => query === CORRECTION.query)
  const { feedback_id } = await client.call<{ feedback_id: string }>('learning_feedback', {
    project: PROJECT,
    query: CORRECTION.query,
    original_response: CORRECTION.original,
    correction: CORRECTION.correction,
    rating: -1,
    ...(interaction && { interaction_id: interaction.interactionId }),
  })
  const found = await client.call<{ items: { score: number; fields: { correction?: string } }[] }>('search_context', {
    project: PROJECT,
    query: CORRECTION.askedAgain,
    collection: 'learning-feedback',
  })
  const [first] = found.items
  if (first?.fields.correction !== CORRECTION.correction) throw new Error('the correction was not found')
  print(
    `   stored ${style('gray', feedback_id)}, found for "${CORRECTION.askedAgain}" with probability ${first.score.toFixed(2)} ${ms(found.milliseconds)}`,
  )
}

async function routing(client: DemoClient): Promise<void> {
  heading('Route: which search, which model, and why')
  for (const query of ROUTED) {
    const routed = await client.call<{
      route: string
      backend: string
      decision: { cause?: string }
      results: { title?: string; path?: string | null }[]
      sql?: { rows: unknown[] } | null
    }>('route_query', { project: PROJECT, query })
    const shown = routed.sql
      ? `${routed.sql.rows.length} rows`
      : (routed.results[0]?.path ?? `${routed.results.length} results`)
    print(
      `   ${style('bold', query.slice(0, 60))} → ${style('green', routed.route)}, ${routed.backend}: ${shown} ${ms(routed.milliseconds)}`,
    )
    if (query.startsWith('SELECT') !== (routed.route === 'sql'))
      throw new Error(`"${query}" was routed to ${routed.route}`)
  }
}

async function conversation(client: DemoClient): Promise<void> {
  heading('A conversation sends each passage once')
  const turns = ['How do I set a cookie?', 'How do I set a cookie and sign it?']
  const sent = new Set<string>()
  for (const query of turns) {
    const turn = await client.call<{
      context: string
      context_ids: string[]
      already_sent?: unknown[]
      token_count: number
      turn_number: number
    }>('multi_turn_context', { project: PROJECT, session_id: 'demo', query })
    for (const [, block = ''] of turn.context.matchAll(/<context-\w+>\n\[.*\n([\s\S]*?)\n<\/context-\w+>/g)) {
      for (const excerpt of block.split('\n…\n')) {
        if (sent.has(excerpt)) throw new Error(`sent again: ${excerpt}`)
        sent.add(excerpt)
      }
    }
    print(
      `   turn ${turn.turn_number}: ${turn.context_ids.length} items, ${turn.token_count} tokens; ${turn.already_sent?.length ?? 0} relevant ones were sent earlier ${ms(turn.milliseconds)}`,
    )
  }
}

async function dataset(client: DemoClient, url: string): Promise<void> {
  heading('Export the high-value answers as a fine-tuning dataset')
  const begun = await client.call<{ job_id: string }>('generate_training_data', { project: PROJECT })
  const made = await client.result<{
    rows: number
    bytes: number
    sha256: string
    dataset_path: string
    download_url: string
  }>(begun.job_id)
  if (made.rows === 0) throw new Error('no interaction reached the threshold')
  print(
    `   ${made.dataset_path}: ${made.rows} rows, ${count(made.bytes)} bytes, sha256 ${made.sha256.slice(0, 16)}… ${ms(begun.milliseconds)}`,
  )
  const response = await fetch(new URL(made.download_url, url))
  const text = await response.text()
  if (!response.ok || text.trim().split('\n').length !== made.rows) throw new Error('the download is not the dataset')
  print(`   first row: ${style('gray', text.slice(0, 200))}…`)
}

interface Stats {
  interactions: number
  outcomes: { success: number; partial: number; failure: number }
  token_ledger: {
    measured: {
      augmentations: number
      augmentations_with_context: number
      context_added: number
      whole_documents: { tokens: number; added: number }
      not_repeated: number
    }
  }
}

interface LearningStats {
  high_value: number
  patterns: number
  credited_items: number
  corrections: number
  datasets: { rows: number }
}

/** Summary of the demo in ten lines. */
async function summary(client: DemoClient, url: string): Promise<void> {
  heading('Summary')
  const stats = await client.call<Stats>('get_stats', { project: PROJECT })
  const learning = await client.call<LearningStats>('learning_stats', { project: PROJECT })
  const http = createHttpClient({ url })
  const { questions } = await http.get<{ questions: { query: string }[] }>(`/unanswered?project=${PROJECT}`)
  const { measured } = stats.token_ledger
  const { whole_documents: whole } = measured
  const { success, partial, failure } = stats.outcomes
  const share = (of: number, all: number) => `${Math.round((100 * of) / Math.max(1, all))} %`
  const lines = [
    `${count(measured.augmentations)} questions asked; ${count(measured.augmentations_with_context)} got context (${share(measured.augmentations_with_context, measured.augmentations)}), and no unrelated question did`,
    `${count(measured.context_added)} tokens of passages were added to the prompts`,
    `${count(whole.tokens - whole.added)} more tokens would be needed to read the whole files that these passages came from`,
    `${count(measured.not_repeated)} tokens of the conversation were not sent a second time`,
    `${count(stats.interactions)} answers tracked: ${success} succeeded, ${partial} partly succeeded, ${failure} failed`,
    `${count(learning.credited_items)} passages gained or lost credit by these outcomes, which changes their rank`,
    `${count(learning.high_value)} answers have a high value; skills-patterns now holds ${count(learning.patterns)} patterns for similar questions`,
    `${learning.corrections === 1 ? '1 correction is' : `${count(learning.corrections)} corrections are`} shown instead of the wrong answer`,
    `${count(learning.datasets.rows)} rows are ready to fine-tune your own model`,
    `${count(questions.length)} questions found nothing; the dashboard lists them, so that you can write down the answers`,
  ]
  for (const line of lines) print(`   ${style('green', '•')} ${line}`)
}

function nextSteps(url: string, running: boolean): void {
  print(
    running
      ? `
${style('bold', 'See the dashboard')}: ${style('cyan', `${url}/#/overview?project=${PROJECT}`)} (running until Ctrl-C)
   MCP endpoint          ${url}/mcp/${PROJECT}
   Claude Code           claude mcp add --transport http hybrid-coordinator ${url}/mcp/${PROJECT}`
      : `
${style('bold', 'See the dashboard')}:   npm run demo -- --keep
${style('bold', 'Your own repository')}: npm run setup -- ~/code/my-project
Guides: docs/README.md`,
  )
}

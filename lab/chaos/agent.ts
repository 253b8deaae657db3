/**
 * One agent of a run: executes its steps, and repeats each call until it is answered.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Random, seeded } from '../../cli/shared/random.ts'
import { post, tool } from '../bench/requests.ts'
import type { Ledger, Outcome } from './ledger.ts'
import { type Step, type StepKind, seedAt } from './plan.ts'
import { codeOf, questionOf, responseOf } from './texts.ts'

/** A call without an answer after this many attempts is a finding. */
const ATTEMPTS = 60
/** Pause between attempts. It grows, so that an outage of half a minute is bridged. */
const PAUSE_MS = 60
const MAX_PAUSE_MS = 1_500
const TIMEOUT_MS = 45_000
/** Statuses after which a call is repeated. */
const REPEATED: ReadonlySet<number> = new Set([409, 429, 500, 502, 503, 504])
/** Number of files that each agent writes. */
const FILES = 4
/** Most reports refer to one of this many latest interactions. */
const LATEST = 5
export const SOURCE = 'chaos'

export interface AgentOptions {
  readonly url: string
  readonly project: string
  readonly number: number
  /** The agent's key, and its id in the coordinator. */
  readonly key: string
  readonly caller: string
  readonly ledger: Ledger
  /** Called after each step. */
  readonly onStep: () => Promise<void> | void
}

interface Shown {
  retrieval_id: string
  context_ids: string[]
  /** Only over REST; tool results omit it. */
  turn_number?: number | null
  degraded?: string[]
}

/** The state of an agent between steps. */
export class Agent {
  readonly #options: AgentOptions
  readonly #steps: Readonly<Record<StepKind, (random: Random) => Promise<void>>> = {
    augment: (random) => this.#augment(random),
    track: (random) => this.#track(random),
    report: (random) => this.#report(random, true),
    rate: (random) => this.#report(random, false),
    correct: (random) => this.#correct(random),
    ingest: (random) => this.#ingest(random),
    remove: (random) => this.#remove(random),
    search: (random) => this.#search(random),
    route: (random) => this.#route(random),
    export: (random) => this.#export(random),
    process: () => this.#process(),
  }
  #step: Step | null = null
  #shown: (Shown & { query: string }) | null = null
  #decision: string | null = null
  #version = 0

  constructor(options: AgentOptions) {
    this.#options = options
  }

  /** Executes the steps in order. */
  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.#step = step
      await this.#steps[step.kind](seeded(seedAt(step.seed, 1)))
      await this.#options.onStep()
    }
  }

  async #augment(random: Random): Promise<void> {
    const { ledger, number } = this.#options
    const query = questionOf(random)
    const conversation = random() < 0.5 ? `agent-${number}-talk-${Math.floor(random() * 2)}` : null
    const shown = await this.#call<Shown>('augment_query', '/augment_query', {
      query,
      score_threshold: random() < 0.6 ? 0 : 0.5,
      ...(conversation !== null && { conversation_id: conversation }),
    })
    if (!shown) return
    this.#shown = { ...shown, query }
    const { retrieval_id: retrieval, context_ids: contextIds } = shown
    const turn = shown.turn_number === undefined && shown.degraded?.includes('conversation') ? null : shown.turn_number
    ledger.augmented.push({ retrieval, query, contextIds, conversation, turn })
  }

  async #track(random: Random): Promise<void> {
    const { ledger, caller } = this.#options
    const shown = this.#shown
    const key = this.#key()
    const input = {
      query: shown?.query ?? questionOf(random),
      response: responseOf(random),
      context_ids: shown?.context_ids ?? [],
      tokens_used: Math.floor(random() * 5_000),
    }
    const stored = await this.#call<{ interaction_id: string }>('track_interaction', '/track_interaction', {
      ...input,
      agent_type: random() < 0.3 ? 'local' : 'remote',
      model_used: `model-${Math.floor(random() * 3)}`,
      latency_ms: Math.floor(random() * 9_000) / 10,
      ...(shown && { retrieval_id: shown.retrieval_id }),
      ...(this.#decision !== null && { decision_id: this.#decision }),
      idempotency_key: key,
    })
    this.#shown = null
    this.#decision = null
    if (stored) ledger.tracked.set(key, { id: stored.interaction_id, caller, input })
  }

  /**
   * Reports on any agent's interaction, mostly a recent one: several agents judge the same one concurrently, each more
   * than once.
   */
  async #report(random: Random, withOutcome: boolean): Promise<void> {
    const { ledger, caller } = this.#options
    const all = [...ledger.tracked.values()]
    const tracked = random() < 0.7 ? all.slice(-LATEST) : all
    const about = tracked[Math.floor(random() * tracked.length)]
    if (!about) return
    const rating = !withOutcome || random() < 0.2 ? Math.floor(random() * 3) - 1 : null
    // A changed opinion is reported immediately, so that two scorings of one interaction run concurrently.
    const words = withOutcome ? [drawOutcome(random), ...(random() < 0.4 ? [drawOutcome(random)] : [])] : [null]
    for (const [i, outcome] of words.entries()) {
      const key = `${this.#key()}-${i}`
      const common = { interaction_id: about.id, idempotency_key: key }
      const answer =
        outcome !== null
          ? await this.#call('update_outcome', '/update_outcome', {
              ...common,
              outcome,
              ...(rating !== null && { user_feedback: rating }),
            })
          : await this.#call('rate_interaction', `/feedback/${about.id}`, { ...common, rating }, ['interaction_id'])
      if (answer) ledger.reports.push({ interaction: about.id, caller, key, outcome, rating })
    }
  }

  async #correct(random: Random): Promise<void> {
    const { ledger } = this.#options
    const tracked = [...ledger.tracked.values()]
    const about = random() < 0.5 ? tracked[Math.floor(random() * tracked.length)] : undefined
    const key = this.#key()
    const correction = `${responseOf(random)} (${key})`
    const stored = await this.#call<{ feedback_id: string }>('learning_feedback', '/learning_feedback', {
      query: questionOf(random),
      correction,
      ...(about && { interaction_id: about.id }),
      idempotency_key: key,
    })
    if (stored) ledger.corrections.set(key, { id: stored.feedback_id, correction })
  }

  async #ingest(random: Random): Promise<void> {
    const { ledger } = this.#options
    const path = this.#path(random)
    const hash = `version-${++this.#version}`
    const count = 1 + Math.floor(random() * 5)
    const items = Object.fromEntries(Array.from({ length: count }, (_, i) => [`part-${i}`, codeOf(random)]))
    const document = {
      path,
      hash,
      items: Object.entries(items).map(([key, code_snippet]) => ({ key, fields: { file_path: path, code_snippet } })),
    }
    const answer = await this.#call<{ totals: { rejected: number } }>('ingest_documents', '/knowledge/documents', {
      source: SOURCE,
      documents: [document],
    })
    if (!answer) return
    if (answer.totals.rejected > 0) ledger.astonishing.push(`a good document was rejected: ${JSON.stringify(answer)}`)
    ledger.documents.set(path, { hash, items })
  }

  async #remove(random: Random): Promise<void> {
    const path = this.#path(random)
    const answer = await this.#call('delete_documents', '/knowledge/documents/delete', {
      collection: 'codebase-context',
      source: SOURCE,
      paths: [path],
    })
    if (answer) this.#options.ledger.documents.set(path, null)
  }

  async #search(random: Random): Promise<void> {
    await this.#call('hybrid_search', '/hybrid_search', { query: questionOf(random) })
  }

  async #route(random: Random): Promise<void> {
    const query = questionOf(random)
    const answer = await this.#call<{ decision: { decision_id: string } }>('route_query', '/route_query', { query })
    if (!answer) return
    this.#decision = answer.decision.decision_id
    this.#options.ledger.decisions.set(answer.decision.decision_id, query)
  }

  async #export(random: Random): Promise<void> {
    const formats = ['openai-chat', 'dpo', 'kto', 'alpaca']
    const answer = await this.#call<{ job_id: string }>('generate_training_data', '/generate_training_data', {
      format: formats[Math.floor(random() * formats.length)],
      min_value_score: 0.4,
    })
    if (answer) this.#options.ledger.exports.add(answer.job_id)
  }

  /** Runs due jobs immediately, in addition to the consumers. */
  async #process(): Promise<void> {
    await this.#call('process_learning', '/learning/process', { limit: 10 })
  }

  #path(random: Random): string {
    return `agent-${this.#options.number}/file-${Math.floor(random() * FILES)}.ts`
  }

  /** Idempotency key of the current step: the same for every repetition. */
  #key(): string {
    return `${this.#options.number}-${this.#step?.seed.toString(16)}`
  }

  /**
   * Repeats a call until it is answered.
   * @param inPath fields that are part of the path
   * @returns null if the call was rejected, which is recorded
   */
  async #call<T = unknown>(
    name: string,
    path: string,
    input: Readonly<Record<string, unknown>>,
    inPath: readonly string[] = [],
  ): Promise<T | null> {
    const { url, key, project, ledger } = this.#options
    const whole = name === 'update_outcome' || name === 'rate_interaction' ? input : { project, ...input }
    const body = Object.fromEntries(Object.entries(whole).filter(([field]) => !inPath.includes(field)))
    const shot = this.#step?.mcp ? tool(name, whole) : post(path, body)
    let last = ''
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (name === 'augment_query') ledger.attempts.augment++
      if (name === 'route_query') ledger.attempts.route++
      const headers = {
        ...shot.headers,
        'x-api-key': key,
        'x-chaos': String(seedAt(this.#step?.seed ?? 0, 2, attempt)),
      }
      try {
        const signal = AbortSignal.timeout(TIMEOUT_MS)
        const response = await fetch(url + shot.path, { method: 'POST', headers, body: shot.body, signal })
        const { status, answer, text } = readAnswer(response.status, await response.text())
        if (answer !== null) {
          ledger.answered++
          return answer as T
        }
        last = `${status} ${text.slice(0, 300)}`
        if (!REPEATED.has(status)) {
          ledger.astonishing.push(`${name} was refused: ${last}`)
          return null
        }
      } catch (error) {
        last = String(error)
      }
      ledger.failed++
      await sleep(Math.min(PAUSE_MS * 1.15 ** attempt, MAX_PAUSE_MS))
    }
    ledger.astonishing.push(`${name} was not answered in ${ATTEMPTS} attempts, last: ${last}`)
    return null
  }
}

function drawOutcome(random: Random): Outcome {
  const luck = random()
  return luck < 0.6 ? 'success' : luck < 0.8 ? 'partial' : 'failure'
}

interface ToolMessage {
  /** Only in MCP answers. */
  readonly jsonrpc?: string
  readonly result?: { readonly isError?: boolean; readonly structuredContent?: unknown }
  readonly error?: unknown
}

/** HTTP status of a rejected or failed tool call, by its error code. */
const STATUS_OF: Readonly<Record<string, number>> = {
  internal: 500,
  engine_unavailable: 503,
  conflict: 409,
  rate_limited: 429,
}

/** The answer, whichever surface it came from. */
function readAnswer(status: number, text: string): { status: number; answer: unknown; text: string } {
  if (status !== 200 && status !== 202) return { status, answer: null, text }
  const message = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text) as ToolMessage
  if (message.jsonrpc === undefined) return { status, answer: message, text }
  if (message.error !== undefined) return { status: 500, answer: null, text }
  if (!message.result?.isError) return { status, answer: message.result?.structuredContent, text }
  const code = /"code\\?":\s*\\?"(\w+)/.exec(text)?.[1] ?? ''
  return { status: STATUS_OF[code] ?? 400, answer: null, text }
}

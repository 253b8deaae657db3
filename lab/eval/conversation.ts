/**
 * `npm run --prefix lab eval:conversation`: measures what a conversation saves over independent calls, and whether it
 * loses any context.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpClient } from '../../cli/harness.ts'
import { parseOptions } from '../../cli/ingest/options.ts'
import { ingest } from '../../cli/ingest.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { SCRIPTS, type Script } from './conversation-script.ts'
import { normalise } from './coverage.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const ROOT = join(import.meta.dirname, '../..')
const HELP = `Usage: npm run --prefix lab eval:conversation -- [options]

Ingests a code base that npm installs and asks twenty scripted questions twice: each by itself, and as turns of one conversation.
Prints the tokens of context of both, and for each turn whether the passage that answers it was sent then or in an earlier turn.
Ends with 1 when the conversation lost a passage that independent calls had.

Options
  --script NAME    ${SCRIPTS.map(({ name }) => name).join(' or ')} (default: all)
  --budget N       tokens of context of each call at most (default: 2000)
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object for each script
  --url URL        measure a running coordinator (a project of its own is used) instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

interface TurnReport {
  query: string
  independent_tokens: number
  conversation_tokens: number
  /** Whether the independent call contained the needed passage. */
  independent_has: boolean
  /** Whether this or an earlier turn contained it. */
  conversation_has: boolean
  /** First turn that contained it; null: none. */
  first_sent: number | null
}

export interface ConversationReport {
  script: string
  turns: TurnReport[]
  independent_tokens: number
  conversation_tokens: number
  ratio: number
  /** Turns whose passage was in the independent call but not in the conversation. */
  lost: number
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      budget: { type: 'string' },
      script: { type: 'string' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const budget = values.budget === undefined ? 2000 : Number(values.budget)
    if (!(budget >= 0)) throw new UsageError(`--budget must be a number from 0, not "${values.budget}"`)
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const scripts = SCRIPTS.filter(({ name }) => values.script === undefined || values.script === name)
    if (scripts.length === 0) throw new UsageError(`there is no script ${values.script}`)
    const reports = await withCoordinator(
      { url, key: values.key, variables: variablesOf(values.variable) },
      async (http, base) => {
        const done: ConversationReport[] = []
        for (const script of scripts) {
          const project = `eval-${randomUUID().slice(0, 8)}`
          await ingestCode(base, project, script, values.key)
          done.push(await evaluate(http, project, script, budget))
        }
        return done
      },
    )
    for (const report of reports) process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    return reports.some(({ lost }) => lost > 0) ? 1 : 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:conversation --')
  }
}

async function ingestCode(url: string, project: string, script: Script, key: string | undefined): Promise<void> {
  const path = join(ROOT, script.folder)
  if (!existsSync(path)) throw new Error(`${script.folder} is missing; run npm install`)
  const excluded = script.exclude.flatMap((pattern) => ['--exclude', pattern])
  const options = ['--source', script.name, ...excluded, '--project', project, '--url', url]
  const parsed = parseOptions([path, ...options, ...(key ? ['--key', key] : [])], {})
  if (!parsed) throw new Error('unreachable: no help was asked for')
  const report = await ingest(parsed)
  if (report.failure || report.chunks.added === 0) throw new Error(report.failure?.message ?? 'nothing was ingested')
}

async function evaluate(
  http: HttpClient,
  project: string,
  script: Script,
  budget: number,
): Promise<ConversationReport> {
  const conversation_id = randomUUID()
  const turns: TurnReport[] = []
  const sent: string[] = []
  for (const { query, needs } of script.turns) {
    const ask = async (more: object) => {
      const { augmented_prompt, token_count } = await http.post<{ augmented_prompt: string; token_count: number }>(
        '/augment_query',
        { project, query, token_budget: budget, ...more },
      )
      return { text: normalise(augmented_prompt.slice(query.length)), tokens: token_count }
    }
    const independent = await ask({})
    const inConversation = await ask({ conversation_id })
    sent.push(inConversation.text)
    const first = sent.findIndex((text) => text.includes(needs))
    turns.push({
      query,
      independent_tokens: independent.tokens,
      conversation_tokens: inConversation.tokens,
      independent_has: independent.text.includes(needs),
      conversation_has: first !== -1,
      first_sent: first === -1 ? null : first + 1,
    })
  }
  const sum = (name: 'independent_tokens' | 'conversation_tokens') =>
    turns.reduce((total, turn) => total + turn[name], 0)
  return {
    script: script.name,
    turns,
    independent_tokens: sum('independent_tokens'),
    conversation_tokens: sum('conversation_tokens'),
    ratio: sum('conversation_tokens') / Math.max(1, sum('independent_tokens')),
    lost: turns.filter((turn) => turn.independent_has && !turn.conversation_has).length,
  }
}

function format(report: ConversationReport): string {
  const rows = report.turns.map((turn, i) => {
    const evidence = turn.first_sent === null ? 'not found' : `sent in turn ${turn.first_sent}`
    const alone = turn.independent_has ? '' : ', not found alone'
    return `${String(i + 1).padStart(4)}${String(turn.independent_tokens).padStart(8)}${String(turn.conversation_tokens).padStart(14)}   ${(evidence + alone).padEnd(36)} ${turn.query}`
  })
  const held = (name: 'independent_has' | 'conversation_has') => report.turns.filter((turn) => turn[name]).length
  return [
    `Script ${report.script}`,
    'turn   alone  conversation   evidence',
    ...rows,
    `Context tokens: ${report.independent_tokens} in independent calls, ${report.conversation_tokens} in the conversation, ratio ${report.ratio.toFixed(3)}`,
    `Evidence: ${held('independent_has')} of ${report.turns.length} turns alone, ${held('conversation_has')} in the conversation, ${report.lost} lost by it`,
    '',
  ].join('\n')
}

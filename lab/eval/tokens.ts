/**
 * `npm run --prefix lab eval:tokens -- --data <BEIR folder>`: measures how many tokens packed context needs for the
 * same evidence as whole documents, through the Worker's public operations.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { countTokens, decode, encode } from 'gpt-tokenizer/encoding/cl100k_base'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { type BeirSet, clean, readBeir, readLines, storeCorpus } from './beir.ts'
import { type CurvePoint, holdsProof, normalise, type Outcome, type Proofs, pointOf, tokensAt } from './coverage.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:tokens -- --data <folder> [options]

Stores a BEIR data set that also has sentences.jsonl (the sentences of each document) and evidence.jsonl (per query and
document the groups of sentences that prove it), augments every query at several token budgets, and compares the evidence in
the prompt with what the best documents sent whole would have held. All tokens are cl100k_base; packed ones include preface,
headings, sources and delimiters, those of whole documents only title and text.

Options
  --data FOLDER    the data set
  --variable NAME=VALUE
                   setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --json           print one object
  --queries N      only the first N queries with evidence
  --misses         also list what whole documents hold and the packed context of the greatest budget doesn't
  --url URL        measure a running coordinator (a project of its own is used) instead of a fresh one
  --key KEY        API key for --url
  -h, --help       print this
`

/** Token budgets of the curve. */
const BUDGETS = [100, 200, 300, 400, 500, 600, 700, 800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 8000] as const
/** Number of documents that the baseline sends whole. */
const BASELINE = 5
/** Number of documents that baselines choose from. */
const DEPTH = 20
const RESAMPLES = 1000

type BudgetPoint = CurvePoint & { budget: number }

export interface TokensReport {
  dataset: string
  queries: number
  evidence_documents: number
  tokenizer: string
  /** Packed tokens ÷ tokens of the top documents sent whole, at the same coverage; null: never reached. */
  ratio: number | null
  /** Bootstrap over queries. */
  ratio_ci95: [number, number] | null
  baseline: CurvePoint & { documents: number }
  packed_at_baseline_coverage: number | null
  curve: BudgetPoint[]
  whole_documents: (CurvePoint & { documents: number })[]
  first_tokens: BudgetPoint[]
  ms_per_query: number
}

interface EvidenceQuery {
  readonly id: string
  readonly text: string
  readonly proofs: ReadonlyMap<string, Proofs>
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      queries: { type: 'string' },
      misses: { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data) throw new UsageError('name a data set: --data <folder>')
    const most = values.queries === undefined ? Number.POSITIVE_INFINITY : Number(values.queries)
    if (!(most >= 1)) throw new UsageError(`--queries must be a number from 1, not "${values.queries}"`)
    const url = values.url === undefined ? undefined : parseUrl(values.url, '--url')
    const set = await readBeir(values.data)
    const queries = (await readEvidence(values.data, set)).slice(0, most)
    const misses: string[] = []
    const report = await withCoordinator({ url, key: values.key, variables: variablesOf(values.variable) }, (http) =>
      evaluate(http, set, queries, misses),
    )
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    if (values.misses) process.stdout.write(`${misses.join('\n')}\n`)
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:tokens --')
  }
}

/** Queries with evidence, and the sentences of each proof. */
async function readEvidence(folder: string, set: BeirSet): Promise<EvidenceQuery[]> {
  const sentences = new Map(
    (await readLines<{ _id: string; sentences: string[] }>(join(folder, 'sentences.jsonl'))).map((line) => [
      line._id,
      line.sentences,
    ]),
  )
  const lines = await readLines<{ 'query-id': string; evidence: Record<string, number[][]> }>(
    join(folder, 'evidence.jsonl'),
  )
  const texts = new Map(set.queries.map(({ id, text }) => [id, text]))
  return lines.flatMap(({ 'query-id': id, evidence }) => {
    const text = texts.get(id)
    if (text === undefined) return []
    const proofs = Object.entries(evidence).map(([document, groups]): [string, Proofs] => {
      const own = sentences.get(document)
      if (!own) throw new Error(`${folder}: sentences.jsonl has no document ${document}`)
      return [document, groups.map((group) => group.map((at) => clean(own[at] ?? '')))]
    })
    return [{ id, text: clean(text), proofs: new Map(proofs) }]
  })
}

async function evaluate(
  http: HttpClient,
  set: BeirSet,
  queries: readonly EvidenceQuery[],
  misses: string[],
): Promise<TokensReport> {
  const project = `eval-${randomUUID().slice(0, 8)}`
  await storeCorpus(http, project, set)
  const texts = new Map(set.documents.map(({ _id, title, text }) => [_id, clean(title ? `${title}\n${text}` : text)]))
  const packed = BUDGETS.map((): Outcome[] => [])
  const whole = Array.from({ length: DEPTH }, (): Outcome[] => [])
  const first = BUDGETS.map((): Outcome[] => [])
  let milliseconds = 0
  const progress = new Progress({ noun: `queries of ${set.name}`, total: queries.length })
  for (const [at, query] of queries.entries()) {
    const ranked = await search(http, project, query.text)
    const documents = ranked.map((key) => texts.get(key) ?? '')
    for (let k = 1; k <= DEPTH; k++) {
      const covered = ranked.slice(0, k).filter((key) => query.proofs.has(key)).length
      whole[k - 1]?.push({ tokens: documents.slice(0, k).reduce((sum, text) => sum + countTokens(text), 0), covered })
    }
    const beginning = encode(documents.join('\n\n')).slice(0, BUDGETS.at(-1))
    for (const [i, budget] of BUDGETS.entries()) {
      first[i]?.push({
        tokens: Math.min(budget, beginning.length),
        covered: coveredBy(decode(beginning.slice(0, budget)), query).length,
      })
      const started = performance.now()
      const { context, tokens } = await augment(http, project, query.text, budget)
      milliseconds += performance.now() - started
      const covered = coveredBy(context, query)
      packed[i]?.push({ tokens, covered: covered.length })
      if (budget !== BUDGETS.at(-1)) continue
      for (const [key, proofs] of query.proofs) {
        const rank = ranked.indexOf(key) + 1
        if (!covered.includes(key)) misses.push(describeMiss(query, key, proofs, rank))
      }
    }
    progress.update(at + 1, '')
  }
  progress.finish()
  const evidence = queries.map(({ proofs }) => proofs.size)
  const curve = BUDGETS.map((budget, i) => ({ budget, ...pointOf(packed[i] ?? [], evidence) }))
  const baseline = { documents: BASELINE, ...pointOf(whole[BASELINE - 1] ?? [], evidence) }
  const needed = tokensAt(curve, baseline.coverage)
  return {
    dataset: set.name,
    queries: queries.length,
    evidence_documents: evidence.reduce((sum, n) => sum + n, 0),
    tokenizer: 'cl100k_base',
    ratio: needed === null ? null : needed / baseline.tokens,
    ratio_ci95: interval(packed, whole[BASELINE - 1] ?? [], evidence),
    baseline,
    packed_at_baseline_coverage: needed,
    curve,
    whole_documents: [1, 2, 3, 4, 5, 8, 10, 20].map((k) => ({
      documents: k,
      ...pointOf(whole[k - 1] ?? [], evidence),
    })),
    first_tokens: BUDGETS.map((budget, i) => ({ budget, ...pointOf(first[i] ?? [], evidence) })),
    ms_per_query: milliseconds / Math.max(1, queries.length * BUDGETS.length),
  }
}

/** Percentile bootstrap over queries. A resample whose coverage is never reached counts as infinite cost. */
function interval(
  packed: readonly (readonly Outcome[])[],
  whole: readonly Outcome[],
  evidence: readonly number[],
): [number, number] | null {
  const random = seeded(20_261_122)
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const drawn = evidence.map(() => Math.floor(random() * evidence.length))
    const pick = <T>(values: readonly T[]) => drawn.flatMap((i) => values[i] ?? [])
    const counts = pick(evidence)
    const baseline = pointOf(pick(whole), counts)
    const needed = tokensAt(
      packed.map((outcomes) => pointOf(pick(outcomes), counts)),
      baseline.coverage,
    )
    return needed === null ? Number.POSITIVE_INFINITY : needed / baseline.tokens
  }).sort((a, b) => a - b)
  const [low, high] = [ratios[Math.floor(0.025 * RESAMPLES)], ratios[Math.ceil(0.975 * RESAMPLES) - 1]]
  return low !== undefined && high !== undefined && Number.isFinite(high) ? [low, high] : null
}

async function search(http: HttpClient, project: string, query: string): Promise<string[]> {
  const { combined_results } = await http.post<{ combined_results: { key: string }[] }>('/hybrid_search', {
    project,
    query,
    limit: DEPTH,
    collections: ['best-practices'],
  })
  return combined_results.map(({ key }) => key)
}

async function augment(http: HttpClient, project: string, query: string, budget: number) {
  const answer = await http.post<{ augmented_prompt: string; token_count: number }>('/augment_query', {
    project,
    query,
    token_budget: budget,
    score_threshold: 0,
    collections: ['best-practices'],
  })
  if (answer.token_count > budget) throw new Error(`${answer.token_count} tokens in a budget of ${budget}: ${query}`)
  return { context: answer.augmented_prompt.slice(query.length), tokens: answer.token_count }
}

function coveredBy(context: string, { proofs }: EvidenceQuery): string[] {
  const text = normalise(context)
  return [...proofs].filter(([, own]) => holdsProof(text, own)).map(([key]) => key)
}

function describeMiss(query: EvidenceQuery, key: string, proofs: Proofs, rank: number): string {
  const shortest = [...proofs].sort((a, b) => a.length - b.length)[0] ?? []
  return `${query.id}: ${query.text}\n  document ${key} at rank ${rank || `over ${DEPTH}`}\n  ${shortest.join('\n  ')}`
}

function format(report: TokensReport): string {
  const percent = (share: number) => `${(100 * share).toFixed(1).padStart(6)} %`
  const line = (label: string, { tokens, coverage }: CurvePoint) =>
    `  ${label.padEnd(28)}${tokens.toFixed(0).padStart(8)} tokens${percent(coverage)}`
  const { ratio, ratio_ci95: ci, baseline } = report
  return [
    `${report.dataset}: ${report.queries} queries, evidence in ${report.evidence_documents} documents`,
    'Packed (preface, headings and sources included)',
    ...report.curve.map((point) => line(`budget ${point.budget}`, point)),
    'Whole documents',
    ...report.whole_documents.map((point) => line(`top ${point.documents}`, point)),
    'First tokens of the ranked documents',
    ...report.first_tokens.map((point) => line(`first ${point.budget}`, point)),
    `At the coverage of the top ${baseline.documents} documents: ${
      ratio === null
        ? 'not reached'
        : `${report.packed_at_baseline_coverage?.toFixed(0)} of ${baseline.tokens.toFixed(0)} tokens, ratio ${ratio.toFixed(3)}`
    }${ci ? ` [${ci.map((value) => value.toFixed(3)).join(', ')}]` : ''}`,
    `${report.ms_per_query.toFixed(1)} ms a call`,
    '',
  ].join('\n')
}

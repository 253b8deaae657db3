/**
 * The report of the comparison of embedders.
 * @module
 */
import type { Costs } from '../embedders/costs.ts'
import type { IngestionCosts } from '../embedders/ingestion.ts'
import type { AskedQuestion } from './code.ts'
import type { CodeReport } from './code-report.ts'
import type { EmbedderReport } from './embedders.ts'
import { bootstrap95, mean } from './metrics.ts'
import type { RetrievalReport } from './retrieval.ts'

/** Share of unanswerable questions with context at which silence is compared. */
const FALSE_INJECTION = 0.02

/**
 * Share of the answerable questions without context at the lowest threshold at which at most 2 % of the unanswerable
 * ones get context.
 * @returns also that threshold
 */
export function silenceAt(
  asked: readonly AskedQuestion[],
  rate = FALSE_INJECTION,
): { silent: number; ci95: [number, number]; threshold: number } {
  const foreign = asked.filter(({ arms }) => !arms).map(({ probability }) => probability)
  const real = asked.filter(({ arms }) => arms)
  const allowed = Math.floor(rate * foreign.length)
  // The allowed number of foreign questions have a greater probability.
  const threshold = foreign.sort((a, b) => b - a)[allowed] ?? 0
  const silent = real.map(({ probability }) => (probability <= threshold ? 1 : 0))
  return { silent: mean(silent), ci95: bootstrap95(silent), threshold }
}

const NAME = 30
const three = (value: number) => value.toFixed(3).replace(/^(-?)0/, '$1')
const percent = (value: number) => `${(100 * value).toFixed(1)} %`
const interval = (ends: readonly number[], write: (value: number) => string = three) =>
  `[${ends.map((end) => write(end)).join(', ')}]`

/** One row of {@link formatEmbedders}. */
export function costsRow(embedder: string, costs: Costs): string {
  return [
    embedder.padEnd(NAME),
    costs.question.toFixed(2).padStart(9),
    (costs.passage?.toFixed(1) ?? '–').padStart(9),
    costs.coldCpu.toFixed(0).padStart(9),
    costs.coldMs.toFixed(0).padStart(9),
    `${(costs.memory / 1e6).toFixed(1)} MB`.padStart(10),
    `${(costs.size / 1e6).toFixed(1)} MB`.padStart(10),
  ].join('')
}

/** One row of {@link formatEmbedders}. */
export function retrievalRow(embedder: string, { arms, hybrid_minus_keyword: gain }: RetrievalReport): string {
  const lists = [arms.keyword, arms.semantic, arms.hybrid].map((arm) => three(arm['ndcg@10']).padStart(9))
  return `${embedder.padEnd(NAME)}${lists.join('')}   ${three(gain['ndcg@10'])} ${interval(gain.ci95)}`
}

/** One row of {@link formatEmbedders}. */
export function codeRow(embedder: string, report: CodeReport): string {
  const { all, false_injection: injected } = report
  const at = silenceAt(report.asked)
  return [
    embedder.padEnd(NAME),
    ...(['keyword', 'semantic', 'hybrid'] as const).map((arm) => three(all.ndcg_chunks[arm].mean).padStart(9)),
    ` ${interval(all.ndcg_chunks.hybrid.ci95)}`.padEnd(17),
    percent(all.right_in_context).padStart(9),
    percent(all.silent).padStart(9),
    percent(injected.rate).padStart(9),
    ` ${interval(injected.ci95, (value) => (100 * value).toFixed(1))}`.padEnd(13),
    three(report.calibration_error).padStart(7),
    `  ${percent(at.silent)} ${interval(at.ci95, (value) => (100 * value).toFixed(0))} at ${at.threshold.toFixed(2)}`,
  ].join('')
}

/** One row per embedder. On two idle cores, the command takes about half of its CPU seconds. */
export function formatIngestionCosts(measured: readonly ({ embedder: string } & IngestionCosts)[]): string {
  const seconds = (value: number | null) => (value === null ? '–' : `${value.toFixed(1)} s`).padStart(11)
  return [
    `${'embedder'.padEnd(NAME)}${['chunks', 'to words', 'to vectors', 'CPU', 'Worker CPU'].map((head) => head.padStart(11)).join('')}`,
    ...measured.map(
      ({ embedder, chunks, words, vectors, commandCpu, workerCpu }) =>
        `${embedder.padEnd(NAME)}${String(chunks).padStart(11)}${[words, vectors, commandCpu, workerCpu].map(seconds).join('')}`,
    ),
    '',
  ].join('\n')
}

/** Tables: costs, one table per data set, one table per set of code questions. */
export function formatEmbedders(reports: readonly EmbedderReport[]): string {
  const [first] = reports
  if (!first) return ''
  const lines: string[] = []
  if (first.costs)
    lines.push(
      'Costs: CPU in ms a question of some 12 word pieces and a passage of 128 and more; until the first answer in ms of CPU and of the clock',
      `${'embedder'.padEnd(NAME)}${['question', 'passage', 'cold CPU', 'cold'].map((head) => head.padStart(9)).join('')}${'memory'.padStart(10)}${'files'.padStart(10)}`,
      ...reports.map(({ embedder, costs }) => (costs ? costsRow(embedder, costs) : embedder)),
      '',
    )
  first.retrieval.forEach(({ dataset, documents, queries }, i) => {
    lines.push(
      `${dataset}: ${documents} documents, ${queries} queries, nDCG@10`,
      `${'embedder'.padEnd(NAME)}${['keyword', 'semantic', 'hybrid'].map((head) => head.padStart(9)).join('')}   hybrid − keyword`,
      ...reports.map(({ embedder, retrieval }) => {
        const report = retrieval[i]
        return report ? retrievalRow(embedder, report) : embedder
      }),
      '',
    )
  })
  first.code.forEach(({ name, report }, i) => {
    const repositories = Object.keys(report.repositories)
    const real = report.asked.filter(({ arms }) => arms).length
    lines.push(
      `${name}: ${repositories.join(', ')}; ${real} questions and ${report.asked.length - real} that nothing answers; nDCG@10 by chunks, augmentation at ${report.threshold}`,
      `${'embedder'.padEnd(NAME)}${['keyword', 'semantic', 'hybrid'].map((head) => head.padStart(9)).join('')}${''.padEnd(17)}${['right', 'silent', 'false'].map((head) => head.padStart(9)).join('')}${''.padEnd(13)}${'error'.padStart(7)}  silent at 2 % false`,
      ...reports.map(({ embedder, code }) => {
        const own = code[i]
        return own ? codeRow(embedder, own.report) : embedder
      }),
      '',
    )
  })
  return `${lines.join('\n')}\n`
}

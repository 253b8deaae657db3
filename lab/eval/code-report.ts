/**
 * The report of an evaluation on code bases: by repository, by kind of question and in total, with intervals over
 * repositories.
 * @module
 */
import { ARMS, type Arm, type AskedQuestion } from './code.ts'
import type { CodeSet } from './code-data.ts'
import type { CodeMeasures } from './code-measures.ts'
import { bootstrap95, expectedCalibrationError, mean } from './metrics.ts'

interface Summary {
  questions: number
  arms: Record<Arm, CodeMeasures>
  /** Share of questions without context. */
  silent: number
  /** Share of questions with a correct file in the context, among all questions and among those with any context. */
  right_in_context: number
  right_when_speaking: number
  tokens: number
}

export interface CodeReport {
  threshold: number
  repositories: Record<string, Summary & { published: Readonly<Record<string, number>> }>
  kinds: Record<string, Summary>
  /** Means over repositories, with 95 % bootstrap intervals over repositories. */
  all: {
    ndcg_chunks: Record<Arm, { mean: number; ci95: [number, number] }>
    ndcg_files: Record<Arm, { mean: number; ci95: [number, number] }>
    published: Record<string, number>
    silent: number
    right_in_context: number
    right_when_speaking: number
    tokens: number
  }
  /** Share of unanswerable questions with context, and its interval over repositories. */
  false_injection: { rate: number; ci95: [number, number]; questions: number; by_kind: Record<string, number> }
  /**
   * Calibration error of the probability that any result answers, with half of the weight on unanswerable questions.
   */
  calibration_error: number
  /** Silence and false injection for other thresholds. */
  thresholds: Record<string, { silent: number; false_injection: number }>
  asked: readonly AskedQuestion[]
}

const THRESHOLDS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]

/** Summarises the results. */
export function reportCode(set: CodeSet, asked: readonly AskedQuestion[], threshold: number): CodeReport {
  const real = asked.filter(({ arms }) => arms)
  const foreign = asked.filter(({ arms }) => !arms)
  const names = set.repositories.map(({ name }) => name)
  const of = (name: string) => real.filter(({ repository }) => repository === name)
  const byRepository = (value: (own: readonly AskedQuestion[]) => number) => {
    const values = names.filter((name) => of(name).length > 0).map((name) => value(of(name)))
    return { mean: mean(values), ci95: bootstrap95(values) }
  }
  const arms = (measure: keyof CodeMeasures) =>
    Object.fromEntries(
      ARMS.map((arm) => [arm, byRepository((own) => mean(own.map((question) => question.arms?.[arm][measure] ?? 0)))]),
    ) as Record<Arm, { mean: number; ci95: [number, number] }>
  const injected = names.map((name) => {
    const own = foreign.filter(({ repository }) => repository === name)
    return mean(own.map(({ silent }) => (silent ? 0 : 1)))
  })
  const systems = [...new Set(set.repositories.flatMap(({ published }) => Object.keys(published)))]
  const { arms: _, ...totals } = summarise(real)
  return {
    threshold,
    repositories: Object.fromEntries(
      set.repositories.map(({ name, published }) => [name, { ...summarise(of(name)), published }]),
    ),
    kinds: Object.fromEntries([...Map.groupBy(real, ({ kind }) => kind)].map(([kind, own]) => [kind, summarise(own)])),
    all: {
      ...totals,
      ndcg_chunks: arms('ndcg_chunks'),
      ndcg_files: arms('ndcg_files'),
      published: Object.fromEntries(
        systems.map((system) => [system, mean(set.repositories.flatMap(({ published }) => published[system] ?? []))]),
      ),
    },
    false_injection: {
      rate: mean(foreign.map(({ silent }) => (silent ? 0 : 1))),
      ci95: bootstrap95(injected),
      questions: foreign.length,
      by_kind: Object.fromEntries(
        [...Map.groupBy(foreign, ({ kind }) => kind)].map(([kind, own]) => [
          kind,
          mean(own.map(({ silent }) => (silent ? 0 : 1))),
        ]),
      ),
    },
    calibration_error: calibrationError(real, foreign),
    thresholds: Object.fromEntries(
      THRESHOLDS.map((at) => [
        String(at),
        {
          silent: mean(real.map(({ probability }) => (probability < at ? 1 : 0))),
          false_injection: mean(foreign.map(({ probability }) => (probability >= at ? 1 : 0))),
        },
      ]),
    ),
    asked,
  }
}

/** Real questions with a correct result among the first ten, against unanswerable questions, with equal weight. */
function calibrationError(real: readonly AskedQuestion[], foreign: readonly AskedQuestion[]): number {
  const answerable = real.map(({ probability, found }) => ({ probability, relevant: found }))
  const none = foreign.map(({ probability }) => ({ probability, relevant: false }))
  const most = Math.max(answerable.length, none.length)
  const repeated = <T>(values: readonly T[]) =>
    values.length === 0 ? [] : Array.from({ length: most }, (_, i) => values[i % values.length] as T)
  return expectedCalibrationError([...repeated(answerable), ...repeated(none)])
}

function summarise(asked: readonly AskedQuestion[]): Summary {
  const measure = (arm: Arm, name: keyof CodeMeasures) => mean(asked.map(({ arms }) => arms?.[arm][name] ?? 0))
  const speaking = asked.filter(({ silent }) => !silent)
  return {
    questions: asked.length,
    arms: Object.fromEntries(
      ARMS.map((arm) => [
        arm,
        {
          ndcg_chunks: measure(arm, 'ndcg_chunks'),
          ndcg_files: measure(arm, 'ndcg_files'),
          hit_1: measure(arm, 'hit_1'),
          hit_5: measure(arm, 'hit_5'),
          hit_10: measure(arm, 'hit_10'),
        },
      ]),
    ) as Record<Arm, CodeMeasures>,
    silent: mean(asked.map(({ silent }) => (silent ? 1 : 0))),
    right_in_context: mean(asked.map(({ right }) => (right ? 1 : 0))),
    right_when_speaking: mean(speaking.map(({ right }) => (right ? 1 : 0))),
    tokens: mean(speaking.map(({ tokens }) => tokens)),
  }
}

const three = (value: number) => value.toFixed(3).replace(/^0/, '').padStart(6)
const percent = (value: number) => `${(100 * value).toFixed(0)} %`.padStart(7)

function injection({ false_injection: { rate, ci95, questions, by_kind } }: CodeReport): string {
  if (questions === 0) return 'not measured, because the set has no unanswerable questions (--unanswerable FILE)'
  const kinds = Object.entries(by_kind).map(([kind, own]) => `${kind} ${(100 * own).toFixed(1)} %`)
  return `${(100 * rate).toFixed(1)} % [${ci95.map((end) => (100 * end).toFixed(1)).join(', ')}] of ${questions} (${kinds.join(', ')})`
}

/** As text. */
export function formatCode(report: CodeReport): string {
  const { all } = report
  const row = (name: string, { questions, arms, ...rest }: Summary, published = '') =>
    [
      `  ${name.padEnd(22)}${String(questions).padStart(4)}`,
      ...ARMS.map((arm) => three(arms[arm].ndcg_chunks)),
      ' |',
      ...ARMS.map((arm) => three(arms[arm].ndcg_files)),
      ' |',
      three(arms.hybrid.hit_1),
      three(arms.hybrid.hit_5),
      three(arms.hybrid.hit_10),
      ' |',
      percent(rest.silent),
      percent(rest.right_in_context),
      percent(rest.right_when_speaking),
      rest.tokens.toFixed(0).padStart(6),
      published,
    ].join('')
  const interval = ({ mean: value, ci95 }: { mean: number; ci95: [number, number] }) =>
    `${three(value).trim()} [${ci95.map((end) => three(end).trim()).join(', ')}]`
  return [
    '                         n  nDCG@10 chunks    | nDCG@10 files      | hybrid hit@1 5 10  | silent  right   when   tokens  published',
    '                            words vec.  both  |  words vec.  both  |                    |                speaking',
    ...Object.entries(report.repositories).map(([name, { published, ...summary }]) =>
      row(
        name,
        summary,
        Object.entries(published)
          .map(([system, value]) => `  ${system} ${three(value).trim()}`)
          .join(''),
      ),
    ),
    ...Object.entries(report.kinds).map(([kind, summary]) => row(`(${kind})`, summary)),
    '',
    ...ARMS.map(
      (arm) =>
        `  ${arm}: nDCG@10 by chunks ${interval(all.ndcg_chunks[arm])}, by files ${interval(all.ndcg_files[arm])}`,
    ),
    ...Object.entries(all.published).map(([system, value]) => `  published ${system}: ${three(value).trim()}`),
    `  augment_query at ${report.threshold}: silent ${percent(all.silent).trim()}, a right file in the context ${percent(all.right_in_context).trim()}, when it speaks ${percent(all.right_when_speaking).trim()}, ${all.tokens.toFixed(0)} tokens`,
    `  false injection: ${injection(report)}`,
    `  calibration error: ${report.calibration_error.toFixed(3)}`,
    ...Object.entries(report.thresholds).map(
      ([at, { silent, false_injection: rate }]) =>
        `  at ${at}: silent ${percent(silent).trim()}${report.false_injection.questions === 0 ? '' : `, false injection ${(100 * rate).toFixed(1)} %`}`,
    ),
    '',
  ].join('\n')
}

/**
 * The results of `eval:ingestion`, and their report. Pure.
 * @module
 */
import type { Proof } from './proof.ts'
import type { Scenario } from './scenarios.ts'

interface Cost {
  readonly seconds: number
  readonly cpu: number
  readonly megabytes: number
}

/** One repository. */
export interface RepositoryReport {
  readonly name: string
  /** The language of most of its code files. */
  readonly language: string
  readonly commit: string
  readonly chunks: number
  readonly proof: Proof
  readonly first: Cost & { readonly workerCpu: number }
  /** The same command repeated without changes. */
  readonly again: Cost & { readonly sent: number }
}

/** The files that answer the questions of a set. */
export interface QuestionFiles {
  readonly set: string
  readonly repositories: number
  readonly questions: number
  readonly files: number
  readonly lost: readonly string[]
}

export interface IngestionReport {
  /** Whether nothing is missing. */
  readonly whole: boolean
  readonly repositories: readonly RepositoryReport[]
  readonly questions: readonly QuestionFiles[]
  readonly scenarios: readonly Scenario[]
  /** Seconds from saving a file until its text is searchable. */
  readonly watch: readonly number[]
}

const sum = (record: Readonly<Record<string, readonly string[]>>) =>
  Object.values(record).reduce((total, paths) => total + paths.length, 0)

/** The report as text. */
export function formatIngestion({ repositories, questions, scenarios, watch }: IngestionReport): string {
  const parts: string[] = []
  if (repositories.length > 0) parts.push(table(repositories), leftOut(repositories), faults(repositories))
  for (const { set, repositories: several, questions: asked, files, lost } of questions)
    parts.push(
      `${set}: ${asked} questions about ${several} repositories are answered in ${files} files; ${files - lost.length} of them are stored.` +
        lost.map((path) => `\n  not stored: ${path}`).join(''),
    )
  if (scenarios.length > 0)
    parts.push(
      rows([
        ['what happened', 'before', 'after', 'right', 'the command said'],
        ...scenarios.map(({ name, before, after, expected, said }) => [
          name,
          `${before}`,
          `${after}`,
          `${expected}`,
          said,
        ]),
      ]),
    )
  if (watch.length > 0) {
    const sorted = watch.toSorted((a, b) => a - b)
    const at = (share: number) =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2)
    parts.push(
      `--watch: saved, then found after ${at(0)} to ${at(1)} s, median ${at(0.5)} s (${watch.length} times, asked every 25 ms).`,
    )
  }
  return `${parts.filter(Boolean).join('\n\n')}\n`
}

function table(repositories: readonly RepositoryReport[]): string {
  return rows([
    [
      'repository',
      'language',
      'commit',
      'tracked',
      'stored',
      'left out',
      'lost',
      'lines',
      'altered',
      'missing',
      'chunks',
      'seconds',
      'CPU s',
      'Worker',
      'peak MB',
      'again s',
      'CPU s',
    ],
    ...repositories.map(({ name, language, commit, chunks, proof, first, again }) => [
      name,
      language,
      commit,
      `${proof.tracked}`,
      `${proof.stored}`,
      `${sum(proof.leftOut)}`,
      `${proof.lost.length}`,
      `${proof.compared.lines}`,
      `${proof.replaced}`,
      `${proof.missing.length}`,
      `${chunks}`,
      first.seconds.toFixed(1),
      first.cpu.toFixed(1),
      first.workerCpu.toFixed(0),
      first.megabytes.toFixed(0),
      again.seconds.toFixed(1),
      again.cpu.toFixed(2),
    ]),
  ])
}

/** Reasons for skipping tracked files, with examples, and files that are not compared line by line. */
function leftOut(repositories: readonly RepositoryReport[]): string {
  const shown = (paths: readonly string[]) =>
    `${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`
  return repositories
    .map(({ name, proof }) => {
      const reasons = Object.entries(proof.leftOut).sort((a, b) => b[1].length - a[1].length)
      const lines = reasons.map(([reason, paths]) => `  ${reason}: ${paths.length} (${shown(paths)})`)
      if (proof.rendered.length > 0)
        lines.push(`  stored as what a reader sees, or shortened: ${proof.rendered.length} (${shown(proof.rendered)})`)
      return lines.length > 0 ? `${name}\n${lines.join('\n')}` : ''
    })
    .filter(Boolean)
    .join('\n')
}

function faults(repositories: readonly RepositoryReport[]): string {
  return repositories
    .flatMap(({ name, proof }) => [
      ...proof.lost.map((path) => `${name}: ${path} is neither stored nor named`),
      ...proof.missing
        .slice(0, 10)
        .map(({ path, line }) => `${name}: ${path} lacks ${JSON.stringify(line.slice(0, 120))}`),
    ])
    .join('\n')
}

function rows(cells: readonly (readonly string[])[]): string {
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)))
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

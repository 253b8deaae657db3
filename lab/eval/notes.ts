/**
 * `npm run --prefix lab eval:notes`: do a team's first notes help without flooding prompts about its code?
 * @module
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { embedAll, type HttpClient } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { pathGiven } from '../paths.ts'
import { CachedEmbedPool } from '../vectors/vector-cache.ts'
import { ingestFolder } from './code.ts'
import { bootstrap95, mean } from './metrics.ts'
import { NOTES, type Note, OTHER_QUESTIONS } from './notes-data.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:notes -- [options]

Stores 1, 3, 10 and 30 notes of a team beside a code base and asks, through augment_query, the questions that the notes
answer and questions that they don't: about the code, about other notes, about anything.

Options
  --sources FOLDER      the code base (default: the source of this project)
  --variable NAME=VALUE setting of the local Worker; may be repeated
  --json                print one object
  -h, --help            print this
`

const SIZES = [1, 3, 10, 30]
/** Number of random draws of notes for each size; more for small sizes, which are less informative. */
const DRAWS: Readonly<Record<number, number>> = { 1: 10, 3: 5, 10: 3, 30: 1 }

interface SizeReport {
  readonly notes: number
  /** Share of the questions with a stored answer for which the note is shown, and its interval. */
  readonly helped: number
  readonly helped_ci95: [number, number]
  /** Share of pairs of a stored note and an unrelated question in which the note is shown. */
  readonly wrong_pairs: number
  /** Share of questions without a stored answer that get any note. */
  readonly flooded: number
  readonly flooded_ci95: [number, number]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      sources: { type: 'string' },
      variable: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const sources = values.sources ? pathGiven(values.sources) : join(import.meta.dirname, '../../src')
    const reports = await withCoordinator({ variables: variablesOf(values.variable) }, async (http, url) => {
      const measured: SizeReport[] = []
      for (const size of SIZES) measured.push(await evaluateSize(http, url, sources, size))
      return measured
    })
    process.stdout.write(values.json ? `${JSON.stringify(reports)}\n` : format(reports))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:notes --')
  }
}

async function evaluateSize(http: HttpClient, url: string, sources: string, size: number): Promise<SizeReport> {
  const project = `notes-${size}-${randomUUID().slice(0, 8)}`
  await ingestFolder(url, undefined, project, sources)
  const helped: number[] = []
  const flooded: number[] = []
  let pairs = 0
  let wrong = 0
  const draws = DRAWS[size] ?? 1
  const progress = new Progress({
    noun: `questions beside ${size} notes`,
    total: draws * (NOTES.length + OTHER_QUESTIONS.length),
  })
  for (let draw = 0; draw < draws; draw++) {
    const stored = Array.from({ length: size }, (_, i) => NOTES[(draw * size + i) % NOTES.length] as Note)
    const ids = await storeNotes(http, project, stored)
    const questions = [
      ...NOTES.map(({ key, question }) => ({ text: question, answer: key })),
      ...OTHER_QUESTIONS.map((text) => ({ text, answer: null })),
    ]
    for (const { text, answer } of questions) {
      const shown = await shownNotes(http, project, text, ids)
      const answered = answer !== null && stored.some(({ key }) => key === answer)
      const others = [...shown].filter((key) => key !== answer).length
      pairs += stored.length - (answered ? 1 : 0)
      wrong += others
      if (answered) helped.push(shown.has(answer) ? 1 : 0)
      else flooded.push(others > 0 ? 1 : 0)
      progress.update(helped.length + flooded.length, '')
    }
    for (const id of ids.keys()) await http.delete(`/knowledge/items/${id}?project=${project}`)
  }
  progress.finish()
  return {
    notes: size,
    helped: mean(helped),
    helped_ci95: bootstrap95(helped),
    wrong_pairs: wrong / Math.max(1, pairs),
    flooded: mean(flooded),
    flooded_ci95: bootstrap95(flooded),
  }
}

/** Keys of the stored notes by context id. */
async function storeNotes(http: HttpClient, project: string, notes: readonly Note[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  for (const [collection, own] of Map.groupBy(notes, (note) => note.collection)) {
    const items = own.map(({ key, fields }) => ({ key, fields }))
    const { results } = await http.post<{ results: { id?: string }[] }>('/knowledge/items', {
      project,
      collection,
      items,
    })
    results.forEach(({ id }, i) => {
      if (id) ids.set(`${collection}/${id}`, own[i]?.key ?? '')
    })
    await embedAll(http, project, collection, items.length, new CachedEmbedPool())
  }
  return ids
}

async function shownNotes(
  http: HttpClient,
  project: string,
  query: string,
  ids: ReadonlyMap<string, string>,
): Promise<Set<string>> {
  const { context_ids } = await http.post<{ context_ids: string[] }>('/augment_query', { project, query })
  return new Set(context_ids.flatMap((id) => ids.get(id) ?? []))
}

function format(reports: readonly SizeReport[]): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  const interval = (ends: [number, number]) => `[${ends.map((end) => (100 * end).toFixed(0)).join(', ')}]`
  return [
    'notes   shown where it answers   pairs shown wrongly   other questions with a note',
    ...reports.map(({ notes, helped, helped_ci95, wrong_pairs, flooded, flooded_ci95 }) =>
      [
        String(notes).padStart(5),
        `${percent(helped)} ${interval(helped_ci95)}`.padStart(25),
        percent(wrong_pairs).padStart(22),
        `${percent(flooded)} ${interval(flooded_ci95)}`.padStart(30),
      ].join(''),
    ),
    '',
  ].join('\n')
}

/**
 * `npm run --prefix lab bench:versions`: compares augment_query on a code base between two versions of the product, in
 * one run.
 * @module
 */
import { join } from 'node:path'
import { createHttpClient, type HttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { Progress } from '../../cli/shared/progress.ts'
import { seeded } from '../../cli/shared/random.ts'
import { readCodeSet } from '../eval/code-data.ts'
import { variablesOf } from '../eval/worker.ts'
import { pathGiven } from '../paths.ts'
import { itemsOf } from '../training/code-ranking/items.ts'

const HELP = `Usage: npm run --prefix lab bench:versions -- --other URL --data <set> --sources <folder> [options]

Stores the same pieces of code in this version and in another that runs already, asks both the same questions in turn, and
prints the median time of augment_query in each and their ratio.

Options
  --other URL           the other version
  --data SET            the set whose questions are asked
  --sources FOLDER      the sources, one folder a repository
  --items N             pieces to store (default: 50000); a source is stored again under another folder until there are enough
  --questions N         questions to ask each (default: 300)
  --state FOLDER        databases of the local Worker
  --stored              both hold the pieces already: --state is a copy of the other version's databases
  --variable NAME=VALUE setting of the local Worker; may be repeated
  -h, --help            print this
`

const PROJECT = 'bench-versions'
const BATCH = 100
const WARM_UP = 20
const RESAMPLES = 1_000

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      other: { type: 'string' },
      data: { type: 'string' },
      sources: { type: 'string' },
      items: { type: 'string', default: '50000' },
      questions: { type: 'string', default: '300' },
      state: { type: 'string' },
      stored: { type: 'boolean' },
      variable: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { other, data, sources } = values
    if (!other || !data || !sources) throw new UsageError('name the other version, a set and its sources')
    const set = await readCodeSet(pathGiven(data))
    const folders = set.repositories.map(({ name }) => join(pathGiven(sources), name))
    const wanted = Number(values.items)
    const texts = set.repositories.flatMap(({ questions }) => questions.map(({ text }) => text))
    const asked = Array.from({ length: Number(values.questions) }, (_, i) => texts[(i * 7) % texts.length] ?? '')
    const worker = await startLocalWorker({
      stateFolder: values.state && pathGiven(values.state),
      variables: { HOLD_OUT_SHARE: '0', ...variablesOf(values.variable) },
    })
    try {
      const versions = [createHttpClient({ url: parseUrl(other, '--other') }), createHttpClient({ url: worker.url })]
      if (!values.stored) {
        const items = await piecesOf(folders, wanted)
        for (const http of versions) await store(http, items)
      }
      process.stdout.write(format(wanted, await timeBoth(versions, asked)))
    } finally {
      await worker.stop()
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab bench:versions --')
  }
}

interface Piece {
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
}

async function piecesOf(folders: readonly string[], wanted: number): Promise<Piece[]> {
  const all: Readonly<Record<string, unknown>>[] = []
  for (const folder of folders) {
    if (all.length >= wanted) break
    all.push(...(await itemsOf(folder)).map(({ fields }) => fields))
  }
  return Array.from({ length: wanted }, (_, i) => {
    const { file_path, code_snippet, symbols } = all[i % all.length] ?? {}
    const copy = Math.floor(i / all.length)
    return {
      key: String(i),
      fields: { file_path: `copy${copy}/${file_path}`, code_snippet, ...(symbols ? { symbols } : {}) },
    }
  })
}

async function store(http: HttpClient, items: readonly Piece[]): Promise<void> {
  const progress = new Progress({ noun: 'pieces', total: items.length })
  for (let start = 0; start < items.length; start += BATCH) {
    const { totals } = await http.post<{ totals: { rejected: number } }>('/knowledge/items', {
      project: PROJECT,
      collection: 'codebase-context',
      items: items.slice(start, start + BATCH),
    })
    if (totals.rejected > 0) throw new Error(`${totals.rejected} pieces were rejected.`)
    progress.update(start + BATCH, '')
  }
  progress.finish()
}

/** Milliseconds of each question in each version. The order alternates. */
async function timeBoth(versions: readonly HttpClient[], asked: readonly string[]): Promise<[number, number][]> {
  const time = async (http: HttpClient, query: string) => {
    const started = performance.now()
    await http.post('/augment_query', { project: PROJECT, query })
    return performance.now() - started
  }
  const times: [number, number][] = []
  for (const [i, query] of [...asked.slice(0, WARM_UP), ...asked].entries()) {
    const pair: [number, number] = [0, 0]
    for (const at of i % 2 === 0 ? [0, 1] : [1, 0]) pair[at] = await time(versions[at] as HttpClient, query)
    if (i >= WARM_UP) times.push(pair)
  }
  return times
}

function format(items: number, times: readonly [number, number][]): string {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
  const ratioOf = (pairs: readonly [number, number][]) =>
    median(pairs.map(([, own]) => own)) / median(pairs.map(([other]) => other))
  const random = seeded(1)
  const ratios = Array.from({ length: RESAMPLES }, () =>
    ratioOf(times.map(() => times[Math.floor(random() * times.length)] as [number, number])),
  ).sort((a, b) => a - b)
  const at = (share: number) => (ratios[Math.floor(share * ratios.length)] ?? 0).toFixed(2)
  return [
    `augment_query on ${items} pieces of code, ${times.length} questions, one request at a time, both versions in turn`,
    `  other version: p50 ${median(times.map(([other]) => other)).toFixed(1)} ms`,
    `  this version:  p50 ${median(times.map(([, own]) => own)).toFixed(1)} ms`,
    `  ratio of the medians: ${ratioOf(times).toFixed(2)} [${at(0.025)}, ${at(0.975)}]`,
    '',
  ].join('\n')
}

/**
 * `npm run --prefix lab eval:ingestion -- --mirrors <folder>`: is every tracked file of real repositories stored or
 * reported, with every line? What does ingestion cost, does data survive failures, and how soon is a change searchable?
 * @module
 */
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { buildWorker, createHttpClient, type HttpClient, startLocalWorker } from '../../../cli/harness.ts'
import { listDocuments, listItems } from '../../../cli/ingest/api.ts'
import { fileOf } from '../../../cli/ingest/identity.ts'
import { parseArguments, reportUsage, UsageError } from '../../../cli/shared/args.ts'
import { pathGiven } from '../../paths.ts'
import { readCodeSet } from '../code-data.ts'
import { git, type Ran, runIngest, workerCpu } from './command.ts'
import { type Proof, prove, type StoredFile } from './proof.ts'
import { formatIngestion, type IngestionReport, type QuestionFiles, type RepositoryReport } from './report.ts'
import { runScenarios, timeWatch } from './scenarios.ts'

const HELP = `Usage: npm run --prefix lab eval:ingestion -- --mirrors <folder> [options]

Checks out the newest commit of each repository, ingests it with the product's own command into a local Worker, and compares every
line of every tracked file with what is stored. Then kills a run, empties a folder, adds a worktree and a second folder of the same
name, and times \`--watch\`. The Worker runs with EMBEDDER=static: words are measured, not the sentence embedder.

Options
  --mirrors FOLDER   clones or bare mirrors, one folder a repository (the repository itself, or \`repo\` in it)
  --only NAME        only this repository; may be repeated
  --data SET         also check that every file which answers a question of this set is stored; may be repeated
  --sources FOLDER   its sources, one folder a repository; one for each --data, in the same order
  --rounds N         saved files for --watch (default: 10); 0 leaves the scenarios and --watch out
  --json             print one object, with every path that was left out
  -h, --help         print this
`

const COLLECTION = 'codebase-context'
const WATCH_ROUNDS = 10

/** Runs the command. Exit codes: 0 nothing is missing, 1 something is missing, 2 usage error. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      mirrors: { type: 'string' },
      only: { type: 'string', multiple: true },
      data: { type: 'string', multiple: true },
      sources: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { data = [], sources = [], only } = values
    if (!values.mirrors && data.length === 0)
      throw new UsageError('name repositories (--mirrors) or questions (--data)')
    if (data.length !== sources.length) throw new UsageError('each --data needs a --sources')
    const rounds = Number(values.rounds ?? WATCH_ROUNDS)
    if (!Number.isInteger(rounds) || rounds < 0) throw new UsageError('--rounds must be a number from 0')
    const mirrors = values.mirrors ? await repositoriesIn(pathGiven(values.mirrors), only) : []
    const sets = data.map((set, i) => ({ set: pathGiven(set), sources: pathGiven(sources[i] ?? '') }))
    const report = await measure(mirrors, sets, rounds)
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : formatIngestion(report))
    return report.whole ? 0 : 1
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:ingestion --')
  }
}

interface Mirror {
  readonly name: string
  readonly path: string
}

async function repositoriesIn(folder: string, only: readonly string[] | undefined): Promise<Mirror[]> {
  const names = await readdir(folder).catch(() => {
    throw new UsageError(`${folder} is not a folder`)
  })
  const found: Mirror[] = []
  for (const entry of names.sort()) {
    const name = entry.replace(/^.*\+/, '')
    if (only && !only.includes(name) && !only.includes(entry)) continue
    for (const path of [join(folder, entry, 'repo'), join(folder, entry)]) {
      if (!(await isRepository(path))) continue
      found.push({ name, path })
      break
    }
  }
  if (found.length === 0) throw new UsageError(`${folder} holds no such repository`)
  return found
}

async function isRepository(path: string): Promise<boolean> {
  if (!(await stat(path).catch(() => null))) return false
  return git(path, 'rev-parse', '--git-dir').then(
    (answer) => ['.', '.git', path].includes(answer.trim()),
    () => false,
  )
}

async function measure(
  mirrors: readonly Mirror[],
  sets: readonly { set: string; sources: string }[],
  rounds: number,
): Promise<IngestionReport> {
  const scratch = await mkdtemp(join(tmpdir(), 'eval-ingestion-'))
  try {
    const bundle = await buildWorker(join(scratch, 'bundle'))
    // One Worker per repository, so that they don't influence each other.
    const withWorker = async <T>(work: (http: HttpClient, url: string) => Promise<T>): Promise<T> => {
      const worker = await startLocalWorker({ bundle, variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' } })
      try {
        return await work(createHttpClient({ url: worker.url }), worker.url)
      } finally {
        await worker.stop()
      }
    }
    const repositories: RepositoryReport[] = []
    for (const { name, path } of mirrors) {
      process.stderr.write(`${name}\n`)
      const folder = join(scratch, 'checkouts', name)
      await mkdir(join(scratch, 'checkouts'), { recursive: true })
      await git(scratch, 'clone', '-q', path, folder)
      const measured = await withWorker((http, url) => measureRepository(http, url, name, folder))
      repositories.push(measured)
      const { tracked, stored, lost, missing } = measured.proof
      process.stderr.write(
        `  ${tracked} tracked, ${stored} stored, ${lost.length} lost, ${missing.length} lines missing\n` +
          missing.map((one) => `    ${JSON.stringify(one).slice(0, 300)}\n`).join(''),
      )
      await rm(folder, { recursive: true, force: true })
    }
    const questions: QuestionFiles[] = []
    for (const { set, sources } of sets) {
      process.stderr.write(`questions of ${basename(set)}\n`)
      questions.push(await withWorker((http, url) => filesOfQuestions(http, url, set, sources)))
    }
    // Large enough for a run to be killed half-way: three requests of 100 documents are under way at a time.
    const [small] = repositories
      .filter(
        ({ proof }) => proof.stored > 400 || proof.stored === Math.max(...repositories.map((one) => one.proof.stored)),
      )
      .sort((a, b) => a.chunks - b.chunks)
    const first = mirrors.find(({ name }) => name === small?.name)
    let scenarios: IngestionReport['scenarios'] = []
    let watch: number[] = []
    if (first && rounds > 0) {
      process.stderr.write(`scenarios with ${first.name}\n`)
      const folder = join(scratch, first.name)
      await git(scratch, 'clone', '-q', first.path, folder)
      ;({ scenarios, watch } = await withWorker(async (http, url) => ({
        scenarios: await runScenarios(http, url, folder, join(scratch, 'scenarios')),
        watch: await timeWatch(http, url, folder, rounds),
      })))
    }
    const whole =
      repositories.every(({ proof }) => proof.lost.length + proof.missing.length === 0) &&
      questions.every(({ lost }) => lost.length === 0) &&
      scenarios.every(({ after, expected }) => after === expected)
    return { whole, repositories, questions, scenarios, watch }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function measureRepository(
  http: HttpClient,
  url: string,
  name: string,
  folder: string,
): Promise<RepositoryReport> {
  const parameters = ['--url', url, '--project', name, '--source', name]
  const before = await workerCpu()
  const first = await runIngest(folder, parameters)
  if (first.code !== 0)
    throw new Error(`${name}: ${first.report.failure?.message ?? JSON.stringify(first.report.rejected)}`)
  const cpu = (await workerCpu()) - before
  const again = await runIngest(folder, parameters)
  const stored = await storedFiles(http, name)
  const proof: Proof = await prove(folder, first.report, stored)
  const cost = ({ seconds, cpu, megabytes }: Ran) => ({ seconds, cpu, megabytes })
  return {
    name,
    language: commonest([...stored.values()].map(({ language }) => language)),
    commit: (await git(folder, 'rev-parse', '--short', 'HEAD')).trim(),
    chunks: first.report.chunks.added,
    proof,
    first: { ...cost(first), workerCpu: cpu },
    again: { ...cost(again), sent: again.report.files.indexed },
  }
}

/** The chunks of every file, as listed by the coordinator. */
async function storedFiles(http: HttpClient, project: string): Promise<Map<string, StoredFile>> {
  const files = new Map<string, StoredFile>()
  for (const { fields, path } of await listItems(http, project, COLLECTION)) {
    const file = fileOf(path ?? String(fields.file_path))
    const known = files.get(file) ?? { language: String(fields.language), texts: [] }
    known.texts.push(String(fields.code_snippet))
    files.set(file, known)
  }
  return files
}

const NO_CODE = new Set(['markdown', 'text', 'json', 'yaml', 'toml', 'restructuredtext', 'html', 'xml', 'ini', 'csv'])

function commonest(languages: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const language of languages) if (!NO_CODE.has(language)) counts.set(language, (counts.get(language) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'none'
}

/** Whether every file that answers a question of a set is stored. */
async function filesOfQuestions(
  http: HttpClient,
  url: string,
  folder: string,
  sources: string,
): Promise<QuestionFiles> {
  const set = await readCodeSet(folder)
  let questions = 0
  let files = 0
  const lost: string[] = []
  for (const { name, questions: asked } of set.repositories) {
    const { report } = await runIngest(join(sources, name), ['--url', url, '--project', name, '--source', name])
    if (report.failure) throw new Error(`${name}: ${report.failure.message}`)
    const stored = await listDocuments(http, { project: name, collection: COLLECTION, source: name })
    questions += asked.length
    const wanted = new Set(asked.flatMap(({ targets }) => targets.map(({ path }) => path)))
    files += wanted.size
    const paths = [...stored.keys()]
    // A set may name a folder for all its files.
    for (const path of wanted)
      if (!stored.has(path) && !paths.some((one) => one.startsWith(`${path}/`))) lost.push(`${name}: ${path}`)
  }
  return { set: basename(folder), repositories: set.repositories.length, questions, files, lost }
}

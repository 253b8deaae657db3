/**
 * `npm run --prefix lab eval:twenty-questions`: shows the results of twenty questions about this project's source and
 * about Hono.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HttpClient } from '../../cli/harness.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'
import { ingestFolder } from './code.ts'
import { mean } from './metrics.ts'
import { TWENTY_QUESTIONS } from './twenty-questions-data.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:twenty-questions -- --hono FOLDER --out FILE [options]
       npm run --prefix lab eval:twenty-questions -- --before FILE --after FILE

Asks twenty questions with known answers through the public API and keeps the answers. With --before and --after it writes
docs/twenty-questions.md from two such files.

Options
  --hono FOLDER         the source of Hono
  --out FILE            where the answers are kept
  --label TEXT          what was asked, such as a commit and its settings
  --url URL             ask a running coordinator instead of a local one
  --variable NAME=VALUE setting of the local Worker; may be repeated
  -h, --help            print this
`

const PAGE = join(import.meta.dirname, '../../docs/twenty-questions.md')
const OWN_SOURCE = join(import.meta.dirname, '../../src')
/** Number of results shown. */
const SHOWN = 3
const DEPTH = 10
/** Number of requested results, enough to include the context of a prompt. */
const LISTED = 100

interface Hit {
  readonly context_id: string
  readonly fields: { readonly file_path?: string }
}

interface Answer {
  /** The first distinct files of the result list. */
  readonly files: readonly string[]
  /** Distinct paths in the context of a prompt. */
  readonly context: readonly string[]
}

interface Answers {
  readonly label: string
  readonly answers: readonly Answer[]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      hono: { type: 'string' },
      out: { type: 'string' },
      label: { type: 'string' },
      url: { type: 'string' },
      variable: { type: 'string', multiple: true },
      before: { type: 'string' },
      after: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (values.before && values.after) {
      const read = async (path: string) => JSON.parse(await readFile(pathGiven(path), 'utf8')) as Answers
      await writeFile(PAGE, pageOf(await read(values.before), await read(values.after)))
      return 0
    }
    const { hono, out, label = 'the present version' } = values
    if (!hono || !out) throw new UsageError('name the source of Hono and a file for the answers: --hono, --out')
    const options = {
      url: values.url === undefined ? undefined : parseUrl(values.url, '--url'),
      variables: variablesOf(values.variable),
    }
    const answers = await withCoordinator(options, (http, url) => askAll(http, url, pathGiven(hono)))
    await writeFile(pathGiven(out), `${JSON.stringify({ label, answers }, null, 2)}\n`)
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:twenty-questions --')
  }
}

async function askAll(http: HttpClient, url: string, honoSource: string): Promise<Answer[]> {
  const projects = { 'this project': 'twenty-own', Hono: 'twenty-hono' } as const
  await ingestFolder(url, undefined, projects['this project'], OWN_SOURCE)
  await ingestFolder(url, undefined, projects.Hono, honoSource)
  const answers: Answer[] = []
  for (const { about, text } of TWENTY_QUESTIONS) {
    const asked = { project: projects[about], query: text }
    const { combined_results: found } = await http.post<{ combined_results: Hit[] }>('/hybrid_search', {
      ...asked,
      collections: ['codebase-context'],
      limit: LISTED,
    })
    const pathOf = new Map(found.map(({ context_id, fields }) => [context_id, fields.file_path ?? '']))
    // Earlier versions return only the ids of the shown items.
    const { context_ids } = await http.post<{ context_ids: string[] }>('/augment_query', asked)
    answers.push({
      files: distinct([...pathOf.values()]).slice(0, DEPTH),
      context: distinct(context_ids.map((id) => pathOf.get(id) ?? id)),
    })
  }
  return answers
}

function distinct(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter((path) => path !== '')
}

/** The page: each question with its first files and the context of a prompt, before and after. */
function pageOf(before: Answers, after: Answers): string {
  const sections = TWENTY_QUESTIONS.map(({ about, text, files }, i) => {
    const isRight = (path: string) => files.some((file) => path === file || path.endsWith(`/${file}`))
    const cell = (paths: readonly string[]) =>
      paths.map((path) => (isRight(path) ? `**${path}**` : path)).join('<br>') || '(nothing)'
    const row = (name: string, answer: Answer | undefined) =>
      `| ${name} | ${cell((answer?.files ?? []).slice(0, SHOWN))} | ${cell(answer?.context ?? [])} |`
    return [
      `### ${i + 1}. ${text}`,
      `About ${about}; answered by ${files.map((file) => `\`${file}\``).join(' or ')}.`,
      [
        '| | first files | in the prompt |',
        '|---|---|---|',
        row('before', before.answers[i]),
        row('after', after.answers[i]),
      ].join('\n'),
    ].join('\n\n')
  })
  const summary = (name: string, { label, answers }: Answers) => {
    const right = (paths: readonly string[], i: number) =>
      paths.some((path) => TWENTY_QUESTIONS[i]?.files.some((file) => path === file || path.endsWith(`/${file}`)))
    const share = (of: (answer: Answer, i: number) => boolean) =>
      mean(answers.map((answer, i) => (of(answer, i) ? TWENTY_QUESTIONS.length : 0)))
    const first = share(({ files }, i) => right(files.slice(0, 1), i))
    const shown = share(({ files }, i) => right(files.slice(0, SHOWN), i))
    const inPrompt = share(({ context }, i) => right(context, i))
    const silent = share(({ context }) => context.length === 0)
    return `| ${name}: ${label} | ${first} | ${shown} | ${inPrompt} | ${silent} |`
  }
  return `${[
    '# Twenty questions, before and after',
    'Ten questions about the source of this project and ten about Hono, asked of the version before code was ranked as code and of the present one. A file that answers is in bold. Written by `npm run --prefix lab eval:twenty-questions`; the questions and the files that answer them stand in `lab/eval/twenty-questions-data.ts` and were written before any was asked.',
    [
      '| of 20 | right file first | among the first three | in the prompt | silent |',
      '|---|---|---|---|---|',
      summary('before', before),
      summary('after', after),
    ].join('\n'),
    ...sections,
  ].join('\n\n')}\n`
}

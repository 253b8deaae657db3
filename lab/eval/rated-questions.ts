/**
 * `npm run --prefix lab eval:rated-questions`: twenty-five plain questions about a repository, each rated by what a prompt gets: right, partly,
 * wrong or silent.
 * @module
 */
import { createHttpClient } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'
import { ingestFolder } from './code.ts'
import { variablesOf, withCoordinator } from './worker.ts'

const HELP = `Usage: npm run --prefix lab eval:rated-questions -- --click FOLDER [options]

Ingests the source of Click (pallets/click) and asks twenty-five questions. Each names what a passage must say to answer it; the questions were
written, with the source beside them, before any was asked. right: the first passage in the prompt says it. partly: a later one does.
wrong: none does. silent: no context.

Options
  --click FOLDER  the source of Click
  --variable NAME=VALUE
                  setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  --passages      print the first lines of the passages of each question too
  -h, --help      print this
`

/** A question, and texts of which a passage must hold one to answer it. */
const QUESTIONS: readonly (readonly [question: string, ...answers: string[]])[] = [
  ['How do I ask the user for confirmation before going on?', 'def confirm(', 'click.confirm('],
  ['How can I hide what is typed at a password prompt?', 'hide_input'],
  ['How is long output shown in a pager?', 'echo_via_pager'],
  ['How do I show a progress bar?', 'progressbar('],
  ['How do I open the user\u2019s editor and get back the text?', 'def edit(', 'click.edit('],
  ['How can a file manager be opened at a file?', 'locate=True', 'locate: bool'],
  ['How do I read a single key press?', 'getchar('],
  ['Where is the folder for the configuration of an application?', 'get_app_dir'],
  ['How are ANSI colour codes removed from text?', 'unstyle', 'strip_ansi'],
  ['How do I accept only a number between 1 and 10?', 'IntRange('],
  ['How do I restrict an option to a fixed list of values?', 'class Choice', 'click.Choice', '{class}`Choice`'],
  ['How are dates given on the command line parsed?', 'class DateTime', 'click.DateTime', 'strptime'],
  ['How does a dash stand for standard input in a file argument?', 'click.File(', 'class File('],
  ['What happens to a file that is written if the program fails halfway?', 'atomic'],
  ['How do I read the value of an option from an environment variable?', 'auto_envvar_prefix', 'envvar='],
  ['How do I make an option required?', 'required=True'],
  ['How can an option be given several times?', 'multiple=True'],
  ['How do I count how often -v is given?', 'count=True'],
  ['How do I write a boolean flag with an off switch?', '/--no-'],
  ['How are subcommands chained in one call?', 'chain=True'],
  ['How do I pass an object from a group to its subcommands?', 'pass_obj', 'ctx.obj =', 'make_pass_decorator('],
  ['How do I test a command line program without a process?', 'CliRunner'],
  ['How is shell completion generated for fish?', 'FishComplete', 'fish_source'],
  ['What exit code does a usage error have?', 'exit_code = 2'],
  ['How do I suggest the right spelling of a mistyped option?', 'possibilities', 'get_close_matches', 'Did you mean'],
]

type Rating = 'right' | 'partly' | 'wrong' | 'silent'

/** Runs the command. Exit codes: 0 done, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      click: { type: 'string' },
      variable: { type: 'string', multiple: true },
      passages: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const folder = values.click
    if (!folder) throw new UsageError('name the source of Click: --click FOLDER')
    await withCoordinator({ variables: variablesOf(values.variable) }, async (_, url) => {
      await ingestFolder(url, undefined, 'click', pathGiven(folder))
      const http = createHttpClient({ url })
      const tally: Record<Rating, number> = { right: 0, partly: 0, wrong: 0, silent: 0 }
      for (const [question, ...answers] of QUESTIONS) {
        const { augmented_prompt: prompt } = await http.post<{ augmented_prompt: string }>('/augment_query', {
          project: 'click',
          query: question,
        })
        const passages = passagesOf(prompt)
        const rating = rate(passages, answers)
        tally[rating]++
        process.stdout.write(`${rating.padEnd(7)} ${question}\n`)
        if (values.passages) for (const passage of passages) process.stdout.write(`        ${passage.split('\n')[0]}\n`)
      }
      const counts = Object.entries(tally).map(([rating, n]) => `${rating} ${n}`)
      process.stdout.write(`\n${counts.join(', ')} of ${QUESTIONS.length}\n`)
    })
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:rated-questions --')
  }
}

/** The passages of a prompt, in order. */
export function passagesOf(prompt: string): string[] {
  return [...prompt.matchAll(/<(context-\w{4})>\n([\s\S]*?)\n<\/\1>/g)].map(([, , passage = '']) => passage)
}

/** Rates passages by the texts of which one must be in a passage that answers. */
export function rate(passages: readonly string[], answers: readonly string[]): Rating {
  if (passages.length === 0) return 'silent'
  const at = passages.findIndex((passage) => answers.some((answer) => passage.includes(answer)))
  return at === 0 ? 'right' : at > 0 ? 'partly' : 'wrong'
}

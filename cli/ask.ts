/**
 * `ask`: asks a question in the terminal, and prints the passages that an agent would get.
 * @module
 */
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient } from './shared/http.ts'
import { askQuestion, describeAnswer } from './shared/question.ts'
import { explain, TARGET_OPTIONS, TargetError, targetOf } from './shared/target.ts'
import { style } from './shared/terminal.ts'

const HELP = `Usage: npm run ask -- "<question>" [options]

Shows the passages that an agent would get for this question. The call is counted in the statistics.

Options
  --project NAME   project (default: default)
  --url URL        the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY        API key with the scope read (default: HYBRID_API_KEY)
  --json           print the answer as JSON
  -h, --help       print this
`

/** Runs the command. Exit codes: 0 answered, with or without passages; 1 failed; 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      ...TARGET_OPTIONS,
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const question = positionals.join(' ').trim()
    if (question === '') throw new UsageError('Give a question, in quotes.')
    const target = targetOf(values, env)
    const http = createHttpClient({ url: target.url, ...(target.key && { key: target.key }), attempts: 1 })
    const answer = await askQuestion(http, target.project, question).catch((error: unknown) => {
      throw explain(error, target)
    })
    process.stdout.write(values.json ? `${JSON.stringify(answer, null, 2)}\n` : describeAnswer(answer, target.project))
    return 0
  } catch (error) {
    if (error instanceof TargetError) {
      process.stderr.write(`${style('red', error.message)}\n${error.fix}\n`)
      return 1
    }
    return reportUsage(error, 'ask --')
  }
}

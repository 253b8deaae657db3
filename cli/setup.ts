/**
 * `setup`: sets up a coordinator and an agent that knows a folder, in one command.
 * @module
 */
import { realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { checkConnection } from './connect/check.ts'
import { CLIENTS } from './connect/clients.ts'
import { UnreadableFileError } from './connect/edits.ts'
import { connect, connectionOf, findClients } from './connect.ts'
import { startAtBoot, startInBackground, thisMachine } from './dev/background.ts'
import { StateError } from './dev/state.ts'
import { DEFAULT_STATE, parsePort } from './dev.ts'
import { parseOptions } from './ingest/options.ts'
import { exitCode, formatReport } from './ingest/report.ts'
import { ingest } from './ingest.ts'
import { testQuestions } from './setup/questions.ts'
import { parseArguments, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient } from './shared/http.ts'
import { askQuestion, describeAnswer } from './shared/question.ts'
import { TARGET_OPTIONS, type Target, TargetError, targetOf } from './shared/target.ts'
import { duration, style } from './shared/terminal.ts'

const HELP = `Usage: npm run setup -- <folder> [options]

Starts the coordinator in the background, ingests the folder, connects the coding agents found on this machine, asks one test question
and shows what an agent would get. You can run it again at any time.
To manage the coordinator: npm run dev -- stop | status | logs

Options
  --project NAME   project (default: the name of the folder)
  --agents A,B     the agents to connect: ${Object.keys(CLIENTS).join(', ')}; none (default: those found, after a question)
  --boot           start the coordinator when you sign in
  --yes            don't ask
  --url URL        use this coordinator instead of starting one; --key KEY with it
  --port PORT      port of the one that is started (default 8787); --state FOLDER for its data
  -h, --help       print this
`

/** Runs the command. Exit codes: 0 done, 1 a step failed, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const started = performance.now()
  try {
    const { values, positionals } = parseArguments(argv, {
      ...TARGET_OPTIONS,
      agents: { type: 'string' },
      boot: { type: 'boolean' },
      yes: { type: 'boolean' },
      port: { type: 'string' },
      state: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const base = env.INIT_CWD ?? process.cwd()
    const folder = await folderOf(base, positionals)
    const project = values.project ?? projectName(folder)
    const named = values.agents === undefined ? undefined : parseAgents(values.agents)
    const port = parsePort(values.port)
    const state = values.state ? resolve(base, values.state) : DEFAULT_STATE
    let target: Target = { ...targetOf(values, env), project }
    if (values.url === undefined && !env.HYBRID_URL) {
      step(`Coordinator in the background (data: ${state})`)
      target = { ...target, url: (await startInBackground(state, port)).base }
    } else if (values.boot) throw new UsageError('--boot is for a coordinator on this machine, without --url.')
    step(`Reading ${folder} into project ${project}`)
    const options = parseOptions(
      [folder, '--project', project, '--url', target.url, ...(target.key ? ['--key', target.key] : [])],
      env,
    )
    if (!options) throw new UsageError('Give a folder.')
    const report = await ingest(options)
    process.stdout.write(`${formatReport(report)}\n`)
    if (report.failure || report.interrupted) return exitCode(report)
    step('Test question')
    await testQuestion(target)
    process.stdout.write(`${duration((performance.now() - started) / 1000)} until the first answer.\n`)
    await connectAgents(folder, target, named, values.yes ?? false, env)
    if (values.boot || (!values.yes && (await confirm('Start the coordinator when you sign in?', false))))
      process.stdout.write(`It starts when you sign in (${await startAtBoot(state, port, thisMachine(env))}).\n`)
    const address = target.url === 'http://127.0.0.1:8787' ? '' : ` --url ${target.url}`
    process.stdout.write(
      `\nReady. Dashboard: ${target.url}/\nAsk something: npm run ask -- "<question>" --project ${project}${address}\n`,
    )
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'setup --')
    if (error instanceof StateError || error instanceof TargetError || error instanceof UnreadableFileError) {
      process.stderr.write(`${style('red', error.message)}\n${error instanceof TargetError ? `${error.fix}\n` : ''}`)
      return 1
    }
    throw error
  }
}

async function folderOf(base: string, positionals: readonly string[]): Promise<string> {
  const [name, ...more] = positionals
  if (name === undefined) throw new UsageError('Give the folder of your code.')
  if (more.length > 0) throw new UsageError(`Give one folder, not also "${more[0]}"; run setup once for each.`)
  const path = await realpath(resolve(base, name)).catch(() => undefined)
  if (path === undefined || !(await stat(path)).isDirectory()) throw new UsageError(`${name} is not a folder.`)
  return path
}

/** A valid project name from a folder's name. */
export function projectName(folder: string): string {
  const name = basename(folder)
    .normalize('NFKD')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
    .slice(0, 60)
  return name === '' ? 'default' : name
}

function parseAgents(text: string): string[] {
  if (text === 'none') return []
  const names = text.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !Object.hasOwn(CLIENTS, name))
  if (unknown !== undefined)
    throw new UsageError(`There is no agent "${unknown}". Known: ${Object.keys(CLIENTS).join(', ')}, none.`)
  return names
}

async function testQuestion(target: Target): Promise<void> {
  const http = createHttpClient({ url: target.url, ...(target.key && { key: target.key }) })
  const questions = await testQuestions(http, target.project)
  for (const [index, question] of questions.entries()) {
    const answer = await askQuestion(http, target.project, question)
    if (answer.context_ids.length === 0 && index < questions.length - 1) continue
    process.stdout.write(`“${question}”\n${describeAnswer(answer, target.project, 1)}`)
    return
  }
  process.stdout.write('Nothing to ask about: the folder has no passages.\n')
}

async function connectAgents(
  folder: string,
  target: Target,
  named: string[] | undefined,
  yes: boolean,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  // Agents with only a user-wide configuration would be changed for every folder, so they must be named explicitly.
  const found = named ?? (await findClients(env)).filter((name) => !CLIENTS[name]?.userOnly)
  if (found.length === 0) {
    if (named === undefined)
      process.stdout.write('No coding agent was found. Connect one later: npm run connect -- <agent>\n')
    return
  }
  const titles = found.map((name) => CLIENTS[name]?.title).join(', ')
  if (named === undefined && !yes && !(await confirm(`Connect ${titles} in ${folder}?`, true))) {
    process.stdout.write(
      `Not connected: ${titles}. Later: npm run connect -- <agent> --dir ${folder} --project ${target.project}\n`,
    )
    return
  }
  step(`Connecting ${titles}`)
  await checkConnection(
    target,
    found.some((name) => CLIENTS[name]?.automatic !== 'hooks'),
  )
  for (const name of found) {
    const client = CLIENTS[name]
    if (!client) continue
    const connection = connectionOf(name, client.userOnly ? null : folder, env, { ...target, tools: false })
    try {
      await connect(client, connection, env)
      process.stdout.write(`${style('green', '✓', process.stdout)} ${client.title}. ${client.next}\n`)
    } catch (error) {
      if (!(error instanceof TargetError || error instanceof UnreadableFileError)) throw error
      process.stdout.write(`${style('red', '✗', process.stdout)} ${client.title}: ${error.message}\n`)
    }
  }
}

/** Asks on a terminal. Otherwise, only does what was agreed to in advance. */
async function confirm(question: string, usual: boolean): Promise<boolean> {
  if (!process.stdin.isTTY) return false
  const ask = createInterface({ input: process.stdin, output: process.stderr })
  const answer = (await ask.question(`${question} [${usual ? 'Y/n' : 'y/N'}] `)).trim().toLowerCase()
  ask.close()
  return answer === '' ? usual : /^y(?:es)?$/.test(answer)
}

function step(text: string): void {
  process.stdout.write(`\n${style('bold', text, process.stdout)}\n`)
}

/**
 * `npm run --prefix lab first-hour`: runs the steps of a new user, from a fresh clone to the first context in an agent,
 * and measures their times.
 * @module
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArguments, reportUsage, UsageError } from '../cli/shared/args.ts'
import { style } from '../cli/shared/terminal.ts'
import { freePort } from './bench/workerd.ts'
import { pathGiven } from './paths.ts'

const HELP = `Usage: npm run --prefix lab first-hour -- --repository FOLDER --question TEXT [options]

Clones this repository, installs it, sets it up for a copy of FOLDER with Claude Code as its agent, and sends TEXT through the hook that
was installed, as Claude Code would. Prints what was typed and how long each step took. Everything is in a temporary folder and a home of
its own.

Options
  --json       print one object
  -h, --help   print this
`

const ROOT = join(import.meta.dirname, '..')

interface Step {
  /** The command that the user types; null: the step is automatic. */
  readonly typed: string | null
  readonly seconds: number
  readonly result: string
}

/** Runs the command. Exit codes: 0 the agent got context, 1 it didn't or a step failed, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      repository: { type: 'string' },
      question: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.repository || !values.question) throw new UsageError('--repository and --question are needed')
    const steps: Step[] = []
    const got = await firstHour(pathGiven(values.repository), values.question, steps, values.json !== true)
    const seconds = steps.reduce((sum, step) => sum + step.seconds, 0)
    const typed = steps.filter(({ typed }) => typed !== null).length
    if (values.json) process.stdout.write(`${JSON.stringify({ got, seconds, typed, steps })}\n`)
    else process.stdout.write(`\n${typed} commands typed, ${(seconds / 60).toFixed(1)} minutes to the first context\n`)
    return got ? 0 : 1
  } catch (error) {
    return reportUsage(error, '--prefix lab first-hour --')
  }
}

async function firstHour(repository: string, question: string, steps: Step[], show: boolean): Promise<boolean> {
  const home = await mkdtemp(join(tmpdir(), 'first-hour-'))
  const clone = join(home, 'hybrid-coordinator')
  const code = join(home, 'code', basename(repository))
  await cp(repository, code, { recursive: true })
  const environment = {
    ...process.env,
    HOME: home,
    INIT_CWD: undefined,
    XDG_CONFIG_HOME: undefined,
    XDG_CACHE_HOME: undefined,
  }
  const port = await freePort()
  const step = async (typed: string | null, cwd: string, command: string, input?: string) => {
    const started = performance.now()
    const { status, output } = await shell(command, cwd, environment, input)
    const seconds = (performance.now() - started) / 1000
    const result = status === 0 ? lastLine(output) : `exit ${status}: ${lastLine(output)}`
    steps.push({ typed, seconds, result })
    if (show)
      process.stdout.write(
        `${seconds.toFixed(1).padStart(7)} s  ${typed ?? '(by itself)'}\n           ${style('gray', result)}\n`,
      )
    if (status !== 0) throw new Error(`${command}\n${output}`)
    return output
  }
  try {
    await step(
      'git clone … hybrid-coordinator',
      home,
      `git clone -q ${JSON.stringify(ROOT)} ${JSON.stringify(clone)} && git -C ${JSON.stringify(clone)} log -1 --format=%h`,
    )
    await step('npm install', clone, 'npm install')
    const setup = `npm run setup -- ${JSON.stringify(code)} --agents claude-code --yes`
    await step(`npm run setup -- ~/code/${basename(code)}`, clone, `${setup} --port ${port}`)
    const answer = await step(
      null,
      code,
      await hookOf(code),
      JSON.stringify({ hook_event_name: 'UserPromptSubmit', session_id: 'first', cwd: code, prompt: question }),
    )
    return answer.includes('<context-')
  } finally {
    await shell('npm run dev -- stop', clone, environment).catch(() => undefined)
    await rm(home, { recursive: true, force: true })
  }
}

/** The command that Claude Code runs for a prompt, from the settings that setup wrote. */
async function hookOf(code: string): Promise<string> {
  const settings = JSON.parse(await readFile(join(code, '.claude/settings.local.json'), 'utf8')) as {
    hooks: { UserPromptSubmit: { hooks: { command: string }[] }[] }
  }
  const command = settings.hooks.UserPromptSubmit[0]?.hooks[0]?.command
  if (command === undefined) throw new Error('setup installed no hook for prompts')
  return command
}

const lastLine = (text: string) => text.trim().split('\n').at(-1)?.slice(0, 160) ?? ''

function shell(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  input?: string,
): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', command], { cwd, env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ status: code ?? 1, output }))
    child.stdin.end(input ?? '')
  })
}

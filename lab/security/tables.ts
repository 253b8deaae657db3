/**
 * `security-tables`: writes three tables: the repeated findings of the security review, the red team, and routes by
 * scopes and effects.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { ADMIN_KEY, Coordinator } from './coordinator.ts'
import { FINDINGS } from './findings/index.ts'
import { redTeamTable } from './red-team.ts'
import { scopesTable } from './scopes.ts'

const HELP = `Usage: npm run --prefix lab security-tables -- [options]

Starts a coordinator and prints three tables: each request of the security review with its result then and now, the red team (300
strings in every collection and place), and what a key of each scope can do by every route. Ends with 1 if one of them shows a fault.

Options
  --only TABLE  findings, red-team or scopes
  --write       write the tables into docs/security-tables.md
  -h, --help    print this
`

const DOCUMENT = join(import.meta.dirname, '../../docs/security-tables.md')

type Table = { readonly markdown: string; readonly faults: readonly string[] }

const TABLES: Readonly<Record<string, (coordinator: Coordinator) => Promise<Table>>> = {
  findings: findingsTable,
  'red-team': redTeamTable,
  scopes: scopesTable,
}

/** Runs the command. Exit codes: 0 no faults, 1 a table shows a fault, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      only: { type: 'string' },
      write: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const names = values.only === undefined ? Object.keys(TABLES) : [String(values.only)]
    const faults: string[] = []
    for (const name of names) {
      const table = TABLES[name]
      if (!table) throw new UsageError(`--only: "${name}" is not findings, red-team or scopes`)
      const variables = {
        HYBRID_API_KEY: ADMIN_KEY,
        SQL_ROUTE_ENABLED: 'true',
        LOG_LEVEL: 'error',
      }
      const worker = await startLocalWorker({ variables })
      try {
        const made = await table(new Coordinator(worker))
        process.stdout.write(`${made.markdown}\n\n`)
        faults.push(...made.faults)
        if (values.write) await replaceTable(name, made.markdown)
      } finally {
        await worker.stop()
      }
    }
    for (const fault of faults) process.stdout.write(`${style('red', fault)}\n`)
    return faults.length === 0 ? 0 : 1
  } catch (error) {
    return reportUsage(error, '--prefix lab security-tables --')
  }
}

async function findingsTable(coordinator: Coordinator): Promise<Table> {
  const faults: string[] = []
  const lines = ['| finding | request | at 1ed55d6 | now | holds |', '|---|---|---|---|---|']
  for (const { id, request, before, send } of FINDINGS) {
    const { now, holds } = await send(coordinator)
    if (!holds) faults.push(`${id}: ${request}: ${now}`)
    const line = `| ${id} | ${request} | ${before} | ${now} | ${holds ? 'yes' : 'no'} |`
    lines.push(line)
    process.stderr.write(`${line}\n`)
  }
  return { markdown: lines.join('\n'), faults }
}

/** Replaces a table between its two markers in the document. */
async function replaceTable(name: string, markdown: string): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8')
  const marks = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- end -->)`)
  if (!marks.test(text)) throw new Error(`${DOCUMENT} has no place for ${name}.`)
  await writeFile(
    DOCUMENT,
    text.replace(marks, (_, start, end) => `${start}\n${markdown}\n\n${end}`),
  )
}

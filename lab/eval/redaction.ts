/**
 * `eval:redaction`: how often redaction takes something out of text that is known to hold no secrets.
 * @module
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { parseArguments, UsageError } from '../../cli/shared/args.ts'
import { count, style } from '../../cli/shared/terminal.ts'
import { type RedactionCounts, redact } from '../../src/security/redact.ts'
import { pathGiven } from '../paths.ts'

const HELP = `Usage: npm run --prefix lab eval:redaction -- FILE_OR_FOLDER... [options]

Runs redaction over every item and reports how many items it changes. An item is a line of a .jsonl, .ndjson, .tsv, .csv or .txt
file (of JSON its texts), and the whole of any other text file: source code, documents, configuration. Binary files, .git and
node_modules are skipped. Ends with 1 when the share of changed items exceeds the maximum.

Options
  --max SHARE      maximum share of changed items (default: 0.001)
  --show N         changed items that are printed (default: 10)
  -h, --help       print this
`

const LINES: readonly string[] = ['.jsonl', '.ndjson', '.tsv', '.csv', '.txt']
/** Folders that hold no sources of the project. */
const SKIPPED: readonly string[] = ['.git', 'node_modules']

/** Runs the command. Exit codes: 0 within the share, 1 over it, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      max: { type: 'string' },
      show: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (positionals.length === 0) throw new UsageError('name a file or a folder')
    return await measure(positionals, Number(values.max ?? 0.001), Number(values.show ?? 10))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run --prefix lab eval:redaction -- --help\n`)
    return 2
  }
}

async function measure(paths: readonly string[], max: number, show: number): Promise<number> {
  const counts: RedactionCounts = {}
  const totals = { items: 0, characters: 0, changed: 0 }
  const started = performance.now()
  for (const path of paths) {
    for (const file of await filesIn(pathGiven(path))) {
      const before = { ...totals }
      const text = await readFile(file, 'utf8')
      if (text.includes('\0')) continue
      for (const item of LINES.includes(extname(file)) ? text.split('\n') : [text]) {
        const texts = LINES.includes(extname(file)) ? textsOf(item) : [item]
        if (texts.length === 0) continue
        totals.items++
        const clean = texts.map((text) => redact(text, counts))
        for (const text of texts) totals.characters += text.length
        const at = texts.findIndex((text, i) => text !== clean[i])
        if (at < 0) continue
        if (totals.changed++ < show) print(`${file}: ${style('yellow', around(clean[at] ?? ''))}`)
      }
      if (LINES.includes(extname(file))) {
        print(
          `${file}: ${count(totals.changed - before.changed)} of ${count(totals.items - before.items)} items changed`,
        )
      }
    }
  }
  if (totals.items === 0) throw new UsageError(`no text in ${paths.join(', ')}`)
  const seconds = (performance.now() - started) / 1000
  const share = totals.changed / totals.items
  print(`By kind: ${JSON.stringify(counts)}`)
  print(
    `${count(totals.changed)} of ${count(totals.items)} items changed (${(share * 100).toFixed(4)} %), ${(totals.characters / 1e6 / seconds).toFixed(1)} million characters a second`,
  )
  return share <= max ? 0 : 1
}

async function filesIn(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => {
    throw new UsageError(`${path} does not exist`)
  })
  if (found.isFile()) return [path]
  const names = (await readdir(path)).filter((name) => !SKIPPED.includes(name)).sort()
  const nested = await Promise.all(names.map((name) => filesIn(join(path, name))))
  return nested.flat()
}

/** The texts of a line: those of its JSON value, or the line itself. */
function textsOf(line: string): string[] {
  if (line.trim() === '') return []
  try {
    return strings(JSON.parse(line))
  } catch {
    return [line]
  }
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}

function around(text: string): string {
  const at = Math.max(0, text.search(/\[redacted |\[private\]/) - 60)
  return text.slice(at, at + 160).replaceAll('\n', ' ')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

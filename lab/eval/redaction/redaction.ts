/**
 * `eval:redaction`: measures how often redaction removes something from text without secrets, and how many credentials
 * it finds of issuers without a rule.
 * @module
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { parseArguments, reportUsage, UsageError } from '../../../cli/shared/args.ts'
import { seeded } from '../../../cli/shared/random.ts'
import { count, style } from '../../../cli/shared/terminal.ts'
import { type RedactionCounts, redact } from '../../../src/security/redact.ts'
import { wilson } from '../../../src/statistics.ts'
import { pathGiven } from '../../paths.ts'
import { plantCredentials } from './issuers.ts'
import { couldBeReal, removedFrom } from './judge.ts'
import { unpackPackages } from './packages.ts'

const HELP = `Usage: npm run --prefix lab eval:redaction -- FILE_OR_FOLDER... [options]
       npm run --prefix lab eval:redaction -- --packages LIST
       npm run --prefix lab eval:redaction -- --issuers

Runs redaction over every item and reports how many items it changes. An item is a line of a .jsonl, .ndjson, .tsv, .csv or .txt
file (of JSON its texts), and the whole of any other text file: source code, documents, configuration. Binary files, .git and
node_modules are skipped. A changed item is a false alarm unless everything removed from it could be a real credential as it is
written (judge.ts). Ends with 1 when the share of false alarms exceeds the maximum.

Options
  --packages LIST  packages of npm and PyPI to download and read instead, a line each: npm:NAME@VERSION or pypi:NAME==VERSION;
                   every file is one item (lists: lab/eval/redaction/packages)
  --issuers        measure recall on credentials of issuers without a rule, made from the seed
  --seed N         default 1
  --max SHARE      maximum share of false alarms (default: 0.0005)
  --show N         changed items that are printed (default: 10)
  -h, --help       print this
`

const LINES: readonly string[] = ['.jsonl', '.ndjson', '.tsv', '.csv', '.txt']
/** Folders without sources of the project. */
const SKIPPED: readonly string[] = ['.git', 'node_modules', 'archives']
/** Number of credentials per issuer and place. */
const PER_ISSUER = 10

/** Runs the command. Exit codes: 0 within the allowed share, 1 above it, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      packages: { type: 'string' },
      issuers: { type: 'boolean' },
      seed: { type: 'string' },
      max: { type: 'string' },
      show: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (values.issuers) return printRecall(Number(values.seed ?? 1))
    const limits = { max: Number(values.max ?? 0.0005), show: Number(values.show ?? 10) }
    if (values.packages !== undefined) {
      const { folder, packages, missing } = await unpackPackages(pathGiven(String(values.packages)))
      try {
        print(`${count(packages)} packages${missing.length > 0 ? `; without a wheel: ${missing.join(', ')}` : ''}`)
        return await measure([folder], { ...limits, wholeFiles: true })
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }
    if (positionals.length === 0) throw new UsageError('name a file or a folder')
    return await measure(positionals.map(pathGiven), { ...limits, wholeFiles: false })
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:redaction --')
  }
}

interface Options {
  readonly max: number
  readonly show: number
  readonly wholeFiles: boolean
}

async function measure(paths: readonly string[], { max, show, wholeFiles }: Options): Promise<number> {
  const counts: RedactionCounts = {}
  const totals = { items: 0, characters: 0, changed: 0, falseAlarms: 0 }
  const started = performance.now()
  for (const path of paths) {
    for (const file of await filesIn(path)) {
      const text = await readFile(file, 'utf8')
      if (text.includes('\0')) continue
      const byLine = !wholeFiles && LINES.includes(extname(file))
      for (const item of byLine ? text.split('\n') : [text]) {
        const texts = byLine ? textsOf(item) : [item]
        if (texts.length === 0) continue
        totals.items++
        for (const text of texts) totals.characters += text.length
        const removed = texts.flatMap((text) => removedFrom(text, redact(text, counts)))
        if (removed.length === 0) continue
        const wrong = removed.filter((one) => !couldBeReal(one))
        if (wrong.length > 0) totals.falseAlarms++
        if (totals.changed++ >= show) continue
        const { kind, value } = wrong[0] ?? removed[0] ?? { kind: '', value: '' }
        const mark = wrong.length > 0 ? 'false alarm' : 'could be real'
        print(
          `${mark} · ${file.slice(path.length + 1)} · ${kind}: ${style('yellow', value.slice(0, 80).replaceAll('\n', ' '))}`,
        )
      }
    }
  }
  if (totals.items === 0) throw new UsageError(`no text in ${paths.join(', ')}`)
  const seconds = (performance.now() - started) / 1000
  print(`By kind: ${JSON.stringify(counts)}`)
  print(`${count(totals.items)} items, ${(totals.characters / 1e6 / seconds).toFixed(1)} million characters a second`)
  print(`Changed:      ${share(totals.changed, totals.items)}`)
  print(`False alarms: ${share(totals.falseAlarms, totals.items)}`)
  return totals.falseAlarms / totals.items <= max ? 0 : 1
}

/** `3 of 12,000: 1 in 4,000 [1 in 11,700, 1 in 1,360]`: a share with its 95 % Wilson interval. */
function share(part: number, all: number): string {
  const oneIn = (value: number) => (value === 0 ? 'none' : `1 in ${count(Math.round(1 / value))}`)
  const { low, high } = wilson(part, all)
  return `${count(part)} of ${count(all)}: ${oneIn(part / all)} [${oneIn(low)}, ${oneIn(high)}]`
}

/** Prints the share of removed credentials of unknown issuers, alone and with a name. */
function printRecall(seed: number): number {
  const planted = plantCredentials(seeded(seed), PER_ISSUER)
  for (const those of Object.values(Object.groupBy(planted, ({ list, place }) => `${list} ${place}`)).map(
    (group) => group ?? [],
  )) {
    const { list, place } = those[0] ?? { list: 'none', place: 'none' }
    const kept = those.filter(({ secret, text }) => redact(text).includes(secret.slice(-12)))
    const byIssuer = Object.entries(Object.groupBy(kept, ({ issuer }) => issuer))
    const issuers = new Set(those.map(({ issuer }) => issuer)).size
    const { low, high } = wilson(those.length - kept.length, those.length)
    print(
      `${list}, ${place}: ${count(those.length - kept.length)} of ${count(those.length)} removed, ${percent(1 - kept.length / those.length)} [${percent(low)}, ${percent(high)}], ${issuers} issuers, seed ${seed}`,
    )
    if (kept.length > 0) print(`  kept: ${byIssuer.map(([issuer, list]) => `${issuer} ${list?.length}`).join(', ')}`)
  }
  return 0
}

const percent = (value: number) => `${(value * 100).toFixed(1)} %`

async function filesIn(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => {
    throw new UsageError(`${path} does not exist`)
  })
  if (found.isFile()) return [path]
  if (!found.isDirectory()) return []
  const names = (await readdir(path)).filter((name) => !SKIPPED.includes(name)).sort()
  const files: string[] = []
  for (const name of names) files.push(...(await filesIn(join(path, name))))
  return files
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

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * `npm run --prefix lab train:code-ranking`: trains the weights of the ranking of code and writes them to the product.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArguments, reportUsage, UsageError } from '../../../cli/shared/args.ts'
import { CODE_FEATURES } from '../../../src/ranking/code/features.ts'
import { pathGiven } from '../../paths.ts'
import { collect } from './collect.ts'
import { ENCODERS, openEncoder } from './encoders.ts'

const HELP = `Usage: npm run --prefix lab train:code-ranking -- --set <folder> [--set <folder>] --sources <folder> --unanswerable <file>

Learns the weights of the ranking of code and of its probabilities for both built-in embedders, prints what cross-validation
says of repositories that were left out, and writes src/ranking/code/learnt-weights.ts. Needs Python with numpy and scipy.

Options
  --set FOLDER         a set of questions; may be repeated
  --sources FOLDER     one folder a set, with one folder a repository
  --unanswerable FILE  questions that no repository answers
  --dry-run            only print
  --keep FOLDER        keep what was collected there
  -h, --help           print this
`

const WEIGHTS = join(import.meta.dirname, '../../../src/ranking/code/learnt-weights.ts')

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      set: { type: 'string', multiple: true },
      sources: { type: 'string' },
      unanswerable: { type: 'string' },
      'dry-run': { type: 'boolean' },
      keep: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const { set = [], sources, unanswerable } = values
    if (set.length === 0 || !sources || !unanswerable)
      throw new UsageError('name the sets, their sources and unanswerable questions: --set, --sources, --unanswerable')
    const encoders = await Promise.all(ENCODERS.map(openEncoder))
    const training = { sets: set.map(pathGiven), sources: pathGiven(sources), unanswerable: pathGiven(unanswerable) }
    const collected = await collect(training, encoders)
    await Promise.all(encoders.map((encoder) => encoder.close()))
    const folder = values.keep ? pathGiven(values.keep) : mkdtempSync(join(tmpdir(), 'code-ranking-'))
    const files = ENCODERS.map((name, i) => {
      const file = join(folder, `${name}.json`)
      writeFileSync(file, JSON.stringify({ embedder: name, features: CODE_FEATURES, questions: collected[i] }, rounded))
      return file
    })
    const output = values['dry-run'] ? [] : ['--write', WEIGHTS]
    const fit = spawnSync('python3', [join(import.meta.dirname, 'fit.py'), ...files, ...output], { stdio: 'inherit' })
    if (!values.keep) rmSync(folder, { recursive: true })
    return fit.status ?? 1
  } catch (error) {
    return reportUsage(error, '--prefix lab train:code-ranking --')
  }
}

/** Six digits are sufficient. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value
}

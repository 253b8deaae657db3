/**
 * `npm run --prefix lab eval:patterns -- --data <set> --sources <folder>`: measures whether patterns from earlier
 * answers help later questions.
 * @module
 */
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import type { CollectionName } from '../../src/knowledge/collections.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { extractByRules } from '../../src/patterns/extract.ts'
import { patternFields } from '../../src/patterns/item.ts'
import { packPassages } from '../../src/retrieval/packing.ts'
import { searchKnowledge, termsOf } from '../../src/retrieval/search.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'
import { pathGiven } from '../paths.ts'
import { codeSets, type LearningSet, type Question } from './learning-sets.ts'
import { type MemoryItem, type MemoryServices, openMemory } from './memory-store.ts'
import { bootstrap95, mean } from './metrics.ts'

const HELP = `Usage: npm run --prefix lab eval:patterns -- --data <set> --sources <folder> [options]

The earlier half of a set's questions (subjects of commits and issues, in time order) are answered: each answer names the files that
were changed, and succeeds. The product's rules make patterns of them. The later half is asked with the code alone and with the patterns
beside it, in the same budget of tokens. A question succeeds when what is shown holds a piece of a file that answers it, or a pattern that
names one. In one process, with the word table.

Options
  --data SET        a set of code questions
  --sources FOLDER  its sources, one folder a repository
  --mirrors FOLDER  bare git directories <owner>+<name>, which tell the order of commits and issues; not needed for commits alone
  --only NAME       only this repository; may be repeated
  --json            print one object a repository
  -h, --help        print this
`

const SHOWN = 10
const BUDGET = 2_000
const THRESHOLD = 0.5

interface PatternReport {
  readonly set: string
  readonly patterns: number
  readonly unseen: number
  /** Success rate, and shown tokens. */
  readonly without: { readonly success: number; readonly tokens: number }
  readonly with: { readonly success: number; readonly by_code: number; readonly tokens: number; readonly shown: number }
  /** With minus without: paired bootstrap. */
  readonly difference: { readonly success: number; readonly ci95: [number, number] }
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      sources: { type: 'string' },
      only: { type: 'string', multiple: true },
      mirrors: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data) throw new UsageError('name a set: --data <set>')
    for await (const set of codeSets(pathGiven(values.data), values.sources, values.only, values.mirrors)) {
      const report = await measurePatterns(set)
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report))
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:patterns --')
  }
}

async function measurePatterns(set: LearningSet): Promise<PatternReport> {
  const half = Math.floor(set.questions.length / 2)
  const unseen = set.questions.slice(half)
  const patterns = patternsOf(set.questions.slice(0, half))
  const code = await openMemory(set.collection, set.items)
  const learnt = await openMemory('skills-patterns', patterns)
  const both: MemoryServices = {
    ...code,
    knowledge: {
      ...code.knowledge,
      search: async ({ collection }, request) => (collection === 'skills-patterns' ? learnt : code).search(request),
    },
  }
  const without: Shown[] = []
  const beside: Shown[] = []
  for (const question of unseen) {
    without.push(await show(both, question, [set.collection]))
    beside.push(await show(both, question, [set.collection, 'skills-patterns']))
  }
  await both.close()
  await learnt.close()
  const differences = beside.map(({ success }, i) => success - (without[i]?.success ?? 0))
  const of = (shown: readonly Shown[], what: keyof Shown) => mean(shown.map((entry) => entry[what]))
  return {
    set: set.name,
    patterns: patterns.length,
    unseen: unseen.length,
    without: { success: of(without, 'success'), tokens: of(without, 'tokens') },
    with: {
      success: of(beside, 'success'),
      by_code: of(beside, 'byCode'),
      tokens: of(beside, 'tokens'),
      shown: of(beside, 'patterns'),
    },
    difference: { success: mean(differences), ci95: bootstrap95(differences) },
  }
}

/** The items that the product's rules extract from answers that name the changed files. */
function patternsOf(answered: readonly Question[]): MemoryItem[] {
  return answered.flatMap(({ text, files }, i): MemoryItem[] => {
    const found = extractByRules(text, `Changed ${files.join(', ')}.`)
    if (!found) return []
    const pattern = { ...found, id: String(i), project: 'offline', extractedBy: 'rules', collection: 'skills-patterns' }
    const evidence = [{ query: text, outcome: 'success', valueScore: 1, verified: true }]
    const fields = patternFields(pattern as never, evidence as never)
    return fields ? [{ key: String(i), fields, path: null }] : []
  })
}

interface Shown {
  readonly success: number
  readonly byCode: number
  readonly tokens: number
  readonly patterns: number
}

async function show(
  services: MemoryServices,
  question: Question,
  collections: readonly CollectionName[],
): Promise<Shown> {
  const { ranked, termWeights } = await searchKnowledge(services, {
    project: 'offline',
    query: question.text,
    collections,
    mode: 'hybrid',
    purpose: 'prompt',
    limit: SHOWN,
    scoreThreshold: 0,
  })
  const { packed } = packPassages({
    items: ranked.filter(({ answerable }) => answerable >= THRESHOLD).slice(0, SHOWN),
    termWeights,
    termsOf,
    budget: BUDGET,
    countTokens: await tokenCounter(),
  })
  const isPattern = ({ collection }: StoredItem) => collection === 'skills-patterns'
  const byCode = packed.some(({ item }) => !isPattern(item) && question.helps(item))
  const byPattern = packed.some(
    ({ item }) => isPattern(item) && question.files.some((file) => item.body.includes(file)),
  )
  return {
    success: byCode || byPattern ? 1 : 0,
    byCode: byCode ? 1 : 0,
    tokens: packed.reduce((sum, { tokens }) => sum + tokens, 0),
    patterns: packed.filter(({ item }) => isPattern(item)).length,
  }
}

function format(report: PatternReport): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  const [low, high] = report.difference.ci95
  return [
    `${report.set}: ${report.patterns} patterns of earlier questions, ${report.unseen} later ones`,
    `  without patterns ${percent(report.without.success)} succeed, ${report.without.tokens.toFixed(0)} tokens`,
    `  with patterns ${percent(report.with.success)} (by code alone ${percent(report.with.by_code)}), ${report.with.tokens.toFixed(0)} tokens, ` +
      `${report.with.shown.toFixed(1)} patterns shown`,
    `  difference ${percent(report.difference.success)} [${percent(low)}, ${percent(high)}]`,
    '',
  ].join('\n')
}

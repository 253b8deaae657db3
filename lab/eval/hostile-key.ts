/**
 * `npm run --prefix lab eval:hostile-key`: measures how much one hostile key of ten can change by votes on one item.
 * @module
 */
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { type CallerVotes, combined, creditShift, lowerBound } from '../../src/ranking/credit.ts'
import { CREDIT_WEIGHT } from '../../src/ranking/fusion.ts'

const HELP = `Usage: npm run --prefix lab eval:hostile-key -- [options]

Nine keys vote honestly, the tenth says the opposite 1,000 times: of items that it was shown, or of items that no retrieval showed it.
Prints by how much that moves an item in a ranking, in log-odds, beside what it would be without the tenth key; by the formulas of the
product. What hostile keys move in the learnt ranking is printed by eval:learning-offline.

Options
  --json      print one object a case
  -h, --help  print this
`

const HONEST_KEYS = 9
const HOSTILE_VOTES = 1_000
/** Overall success rates of a project's items. */
const USUAL = [0.5, 0.8] as const
/** Number of votes of each honest key on the item, all with the same outcome. */
const VOTES = [0, 1, 2, 5, 20] as const

interface Case {
  /** The opinion of the honest keys, and the number of their votes. */
  readonly honest: 'helps' | 'fails'
  readonly votes: number
  readonly usual: number
  /** Whether the hostile key was shown the item. */
  readonly shown: boolean
  readonly without: number
  readonly with: number
  readonly moved: number
  /** Lower bound of the item's rate, as listed by list_credit. */
  readonly listed: number
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const cases = hostileCases()
    if (values.json) for (const entry of cases) process.stdout.write(`${JSON.stringify(entry)}\n`)
    else process.stdout.write(format(cases))
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:hostile-key --')
  }
}

/** Every case: the opinion of the nine, their votes, the usual rate, and whether the tenth was shown the item. */
export function hostileCases(): Case[] {
  return USUAL.flatMap((usual) =>
    [true, false].flatMap((shown) =>
      (['helps', 'fails'] as const).flatMap((honest) =>
        VOTES.map((votes): Case => {
          const says = (helps: boolean, count: number) => ({
            successes: helps ? count : 0,
            partials: 0,
            failures: helps ? 0 : count,
          })
          const nine: CallerVotes[] = Array.from({ length: HONEST_KEYS }, () => says(honest === 'helps', votes))
          const lie = says(honest === 'fails', HOSTILE_VOTES)
          const tenth: CallerVotes = shown ? lie : { ...says(true, 0), unseen: lie }
          const shift = (callers: readonly CallerVotes[]) => CREDIT_WEIGHT * creditShift(combined(callers), usual)
          const credit = combined([...nine, tenth])
          const [without, beside] = [shift(nine), shift([...nine, tenth])]
          return {
            honest,
            votes,
            usual,
            shown,
            without,
            with: beside,
            moved: beside - without,
            listed: lowerBound(credit),
          }
        }),
      ),
    ),
  )
}

function format(cases: readonly Case[]): string {
  const number = (value: number) => value.toFixed(3).padStart(8)
  return [
    `One of ten keys votes ${HOSTILE_VOTES} times against what the nine others say. Shift of the item in log-odds:`,
    '  usual  the nine say  votes each  tenth was shown it   without      with     moved  list_credit',
    ...cases.map(
      ({ usual, honest, votes, shown, without, with: beside, moved, listed }) =>
        `  ${usual.toFixed(1)}    ${(votes === 0 ? 'nothing' : `it ${honest}`).padEnd(14)}${String(votes).padStart(10)}  ` +
        `${(shown ? 'yes' : 'no').padEnd(18)}${number(without)}  ${number(beside)}  ${number(moved)}  ${number(listed)}`,
    ),
    `  most: ${Math.max(...cases.map(({ moved }) => Math.abs(moved))).toFixed(3)}`,
    '',
  ].join('\n')
}

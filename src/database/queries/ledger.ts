/**
 * The sums behind the token ledger.
 * @module
 */
import { sql } from 'drizzle-orm'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'

/** Count, sum and sum of squares of the reported tokens of some interactions. */
export interface TokenSums {
  readonly n: number
  readonly sum: number
  readonly squares: number
}

/** One arm of the experiment: augmentations that could have been in either arm, and the answers tracked for them. */
export interface ExperimentArm {
  readonly retrievals: number
  readonly answers: number
  readonly tokens: TokenSums
}

export interface LedgerSums {
  readonly augmentations: number
  /** Augmentations that added at least one passage. */
  readonly withContext: number
  readonly added: number
  readonly spared: number
  readonly whole: number
  readonly topWhole: number
  /**
   * For augmentations whose documents' size is known: the sum of these sizes, the tokens that the augmentations added,
   * and their number.
   */
  readonly documents: { readonly tokens: number; readonly added: number; readonly n: number }
  /** Interactions with reported tokens, by answering model, and those without. */
  readonly local: TokenSums
  readonly remote: TokenSums
  readonly localAnswers: number
  readonly unreported: number
  readonly treated: ExperimentArm
  readonly control: ExperimentArm
}

type Row = Readonly<Record<string, unknown>> | undefined

const number = (value: unknown) => Number(value ?? 0)
const sums = (row: Row): TokenSums => ({ n: number(row?.n), sum: number(row?.sum), squares: number(row?.squares) })

/**
 * Computes the sums over augmentations and tracked answers of one project.
 * @param since first day (UTC, `2027-01-31`); null: all days. The two arms of the experiment are counted over all days.
 */
export async function ledgerSums(
  database: Database,
  project: string,
  since: string | null = null,
): Promise<LedgerSums> {
  const days = since === null ? sql`` : sql`AND day >= ${since}`
  const [totals, agents, arms] = await atomically(database, [
    sql`SELECT sum(n) AS n, sum(with_context) AS with_context, sum(added) AS added, sum(spared) AS spared, sum(whole) AS whole,
          sum(top_whole) AS top_whole, sum(documents) AS documents, sum(documents_n) AS documents_n,
          sum(documents_added) AS documents_added FROM rollup_retrievals WHERE project = ${project} AND control = 0 ${days}`,
    sql`SELECT agent_type, sum(n) AS answers, sum(with_tokens) AS n, sum(tokens) AS sum, sum(tokens_squares) AS squares
        FROM rollup_interactions WHERE project = ${project} ${days} GROUP BY agent_type`,
    sql`SELECT control, retrievals, answers, with_tokens AS n, tokens AS sum, tokens_squares AS squares
        FROM rollup_arms WHERE project = ${project}`,
  ])
  const total = totals?.rows[0]
  const agent = (name: string) => agents?.rows.find((row) => row.agent_type === name)
  const answers = number(agent('local')?.answers) + number(agent('remote')?.answers)
  return {
    augmentations: number(total?.n),
    withContext: number(total?.with_context),
    added: number(total?.added),
    spared: number(total?.spared),
    whole: number(total?.whole),
    topWhole: number(total?.top_whole),
    documents: {
      tokens: number(total?.documents),
      added: number(total?.documents_added),
      n: number(total?.documents_n),
    },
    local: sums(agent('local')),
    remote: sums(agent('remote')),
    localAnswers: number(agent('local')?.answers),
    unreported: answers - number(agent('local')?.n) - number(agent('remote')?.n),
    treated: armOf(arms?.rows.find((row) => number(row.control) === 0)),
    control: armOf(arms?.rows.find((row) => number(row.control) === 1)),
  }
}

function armOf(row: Row): ExperimentArm {
  return { retrievals: number(row?.retrievals), answers: number(row?.answers), tokens: sums(row) }
}

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

/** One side of the experiment: augmentations that could have become either, and the answers that were tracked for them. */
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
  /** Sum over augmentations whose documents' size is known, the tokens that those added, and their number. */
  readonly documents: { readonly tokens: number; readonly added: number; readonly n: number }
  /** Interactions with reported tokens, by who answered, and those without. */
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

/** Adds up augmentations and tracked answers of one project. */
export async function ledgerSums(database: Database, project: string): Promise<LedgerSums> {
  const [totals, agents, arms] = await atomically(database, [
    sql`SELECT count(*) AS n, sum(shown != '[]') AS with_context, sum(tokens_added) AS added, sum(tokens_spared) AS spared,
          sum(tokens_whole) AS whole, sum(CASE WHEN shown != '[]' THEN tokens_top_whole ELSE 0 END) AS top_whole,
          sum(tokens_documents) AS documents, count(tokens_documents) AS documents_n,
          sum(CASE WHEN tokens_documents IS NOT NULL THEN tokens_added ELSE 0 END) AS documents_added
        FROM retrievals WHERE project = ${project} AND NOT control`,
    sql`SELECT agent_type, count(*) AS answers, sum(tokens_used > 0) AS n, sum(tokens_used) AS sum,
          sum(1.0 * tokens_used * tokens_used) AS squares
        FROM interactions WHERE project = ${project} GROUP BY agent_type`,
    sql`SELECT r.control, count(DISTINCT r.id) AS retrievals, count(i.id) AS answers, sum(i.tokens_used > 0) AS n, sum(i.tokens_used) AS sum,
          sum(1.0 * i.tokens_used * i.tokens_used) AS squares
        FROM retrievals r LEFT JOIN interactions i ON i.retrieval_id = r.id AND i.project = r.project
        WHERE r.project = ${project} AND r.control_share > 0 AND r.control_share < 1 GROUP BY r.control`,
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

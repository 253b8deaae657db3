/**
 * Figures by day, from the rollups.
 * @module
 */
import { sql } from 'drizzle-orm'
import { atomically } from '../batch.ts'
import type { Database } from '../database.ts'
import type { OutcomeCounts } from './statistics.ts'

/** The interactions of one day. Late outcomes count on the day of their interaction. */
export interface DayFigures {
  /** UTC, `2027-01-31`. */
  readonly day: string
  readonly interactions: number
  readonly outcomes: OutcomeCounts
  readonly withContext: OutcomeCounts
  readonly withoutContext: OutcomeCounts
  /** Outcomes of answers by the local model. */
  readonly local: OutcomeCounts
  readonly scored: number
  readonly meanValueScore: number | null
  readonly tokensUsed: number
  readonly augmentations: number
  readonly augmentationsWithContext: number
  readonly contextAdded: number
  readonly notRepeated: number
}

export interface Trends {
  /** Days with any data, in order. */
  readonly days: readonly DayFigures[]
  /** Interactions by value score, in hundredths. */
  readonly scores: readonly { readonly bin: number; readonly count: number }[]
}

type Mutable = { -readonly [K in keyof DayFigures]: DayFigures[K] }
type Counts = { -readonly [K in keyof OutcomeCounts]: number }

const none = (): Counts => ({ success: 0, partial: 0, failure: 0, unknown: 0 })

/** Reads the days from `since` (UTC, `2027-01-31`) on. */
export async function trendFigures(database: Database, project: string, since: string): Promise<Trends> {
  const [interactions, retrievals, scores] = await atomically(database, [
    sql`SELECT day, agent_type, had_context, outcome, n, tokens, scored, value_millionths FROM rollup_interactions
        WHERE project = ${project} AND day >= ${since} AND n > 0 ORDER BY day`,
    sql`SELECT day, sum(n) AS n, sum(with_context) AS with_context, sum(added) AS added, sum(spared) AS spared FROM rollup_retrievals
        WHERE project = ${project} AND day >= ${since} GROUP BY day`,
    sql`SELECT bin, sum(n) AS n FROM rollup_scores WHERE project = ${project} AND day >= ${since}
        GROUP BY bin HAVING sum(n) > 0 ORDER BY bin`,
  ])
  const days = new Map<string, Mutable>()
  const sums = new Map<string, number>()
  for (const row of interactions?.rows ?? []) {
    const entry = dayOf(days, String(row.day))
    const n = Number(row.n)
    const outcome = (String(row.outcome) || 'unknown') as keyof OutcomeCounts
    entry.interactions += n
    entry.tokensUsed += Number(row.tokens)
    entry.scored += Number(row.scored)
    sums.set(entry.day, (sums.get(entry.day) ?? 0) + Number(row.value_millionths))
    for (const counts of [
      entry.outcomes,
      Number(row.had_context) === 1 ? entry.withContext : entry.withoutContext,
      ...(row.agent_type === 'local' ? [entry.local] : []),
    ]) {
      ;(counts as Counts)[outcome] += n
    }
  }
  for (const row of retrievals?.rows ?? []) {
    const entry = dayOf(days, String(row.day))
    entry.augmentations = Number(row.n)
    entry.augmentationsWithContext = Number(row.with_context)
    entry.contextAdded = Number(row.added)
    entry.notRepeated = Number(row.spared)
  }
  for (const entry of days.values()) {
    entry.meanValueScore = entry.scored > 0 ? (sums.get(entry.day) ?? 0) / 1e6 / entry.scored : null
  }
  return {
    days: [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1)),
    scores: (scores?.rows ?? []).map((row) => ({ bin: Number(row.bin), count: Number(row.n) })),
  }
}

function dayOf(days: Map<string, Mutable>, day: string): Mutable {
  const known = days.get(day)
  if (known) return known
  const made: Mutable = {
    day,
    interactions: 0,
    outcomes: none(),
    withContext: none(),
    withoutContext: none(),
    local: none(),
    scored: 0,
    meanValueScore: null,
    tokensUsed: 0,
    augmentations: 0,
    augmentationsWithContext: 0,
    contextAdded: 0,
    notRepeated: 0,
  }
  days.set(day, made)
  return made
}

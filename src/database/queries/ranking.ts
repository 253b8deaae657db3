/**
 * The training data and the trained models of a project's ranking.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'
import { type Outcome, rankingModels } from '../schema.ts'
import { deletionSince } from './deletions.ts'
import { countForTraining, restartTraining } from './training-jobs.ts'

/** Counts an outcome that the ranking has not learnt from; see {@link countForTraining}. */
export function noteRankingOutcome(database: Database, project: string, now: number) {
  return countForTraining(database, 'train_ranking', project, 1, now)
}

export type RankingRow = typeof rankingModels.$inferSelect

/** The trained ranking of a project; null before the first outcome. */
export async function rankingRow(database: Database, project: string): Promise<RankingRow | null> {
  const [row] = await database.select().from(rankingModels).where(eq(rankingModels.project, project))
  return row ?? null
}

/**
 * Stores a trained ranking as the version after `model.version`.
 * @param model `learnt`: pending outcomes when its training started; `startedAt`: when it started
 * @returns false, without storing anything, if another training or a deletion happened in between
 */
export async function storeRanking(
  database: Database,
  model: Omit<RankingRow, 'pending' | 'trainedAt'> & { readonly learnt: number; readonly startedAt: number },
  now: number,
): Promise<boolean> {
  const { changes } = await execute(
    database,
    sql`UPDATE ranking_models SET version = version + 1, examples = ${model.examples}, queries = ${model.queries},
          gain = ${model.gain}, standard_errors = ${model.standardErrors}, accepted = ${model.accepted ? 1 : 0},
          weights = ${JSON.stringify(model.weights)},
          needs = ${model.needs ? JSON.stringify(model.needs) : null}, pending = max(0, pending - ${model.learnt}), trained_at = ${now}
        WHERE project = ${model.project} AND version = ${model.version} AND NOT ${deletionSince(model.project, model.startedAt)}`,
  )
  return changes > 0
}

/** Deletes the trained ranking of a project, and trains it again; see {@link restartTraining}. */
export function resetRanking(database: Database, project: string, now: number) {
  const reset = sql`weights = NULL, needs = NULL, accepted = 0, gain = 0, standard_errors = 0, queries = 0`
  return restartTraining(database, 'train_ranking', project, reset, now)
}

/** One caller's vote on an answer, with the answer's context. */
export interface RankingVote {
  readonly query: string
  readonly caller: string
  readonly outcome: Outcome
  /** Context ids: those that were shown, if any were. */
  readonly items: readonly string[]
  /** Whether none of them was shown by a retrieval of the same key. */
  readonly unseen: boolean
  /** Number of items in the augmentation; 0: unknown. */
  readonly shown: number
}

interface NamedContext {
  readonly collection: string
  readonly item_id: string
  readonly given?: number
}

/** The items that an answer is based on: those that were shown, or, if none were, all that it names. */
export function namedItems(contexts: readonly NamedContext[]): Pick<RankingVote, 'items' | 'unseen'> {
  const given = contexts.filter(({ given = 1 }) => given === 1)
  const named = given.length > 0 ? given : contexts
  return { items: named.map((c) => `${c.collection}/${c.item_id}`), unseen: given.length === 0 }
}

/** An answer whose votes and context are archived. */
export interface ArchivedAnswer extends Pick<RankingVote, 'query' | 'shown'> {
  readonly id: string
  readonly archiveId: string
  readonly project: string
}

/** Number of interactions per query. */
const PAGE = 500

/**
 * Votes on a project's latest answers with context, newest first. For archived ones, returns their location.
 * @param limit maximum number of interactions with a known outcome to read
 * @param characters maximum characters to read of each query
 */
export async function rankingVotes(
  database: Database,
  project: string,
  limit: number,
  characters: number,
): Promise<(RankingVote | ArchivedAnswer)[]> {
  const votes: (RankingVote | ArchivedAnswer)[] = []
  let before: string | null = null
  for (let read = 0; read < limit; read += PAGE) {
    const { rows }: { rows: readonly Record<string, unknown>[] } = await execute(
      database,
      sql`SELECT i.id, i.query, i.archive_id, v.caller, v.outcome, json_array_length(${arrayIn(sql`r.shown`)}) AS shown,
            (SELECT json_group_array(json_object('collection', c.collection, 'item_id', c.item_id, 'given', c.given))
             FROM interaction_contexts c WHERE c.interaction_id = i.id) AS contexts
          FROM (SELECT id, substr(query, 1, ${characters}) AS query, retrieval_id, archive_id FROM interactions
                WHERE project = ${project} AND outcome IS NOT NULL ${before === null ? sql`` : sql`AND id < ${before}`}
                ORDER BY id DESC LIMIT ${PAGE}) i
          LEFT JOIN outcome_votes v ON v.interaction_id = i.id
          LEFT JOIN retrievals r ON r.id = i.retrieval_id AND r.project = ${project}
          ORDER BY i.id DESC, v.caller`,
    )
    for (const row of rows) {
      if (row.archive_id !== null) {
        const place = { id: String(row.id), archiveId: String(row.archive_id), project }
        votes.push({ ...place, query: String(row.query), shown: Number(row.shown) })
        continue
      }
      const { items, unseen } = namedItems(JSON.parse(String(row.contexts)) as NamedContext[])
      if (row.caller === null || items.length === 0) continue
      const [caller, outcome] = [String(row.caller), row.outcome as Outcome]
      votes.push({ query: String(row.query), caller, outcome, items, unseen, shown: Number(row.shown) })
    }
    before = rows.length > 0 ? String(rows.at(-1)?.id) : null
    if (before === null || new Set(rows.map(({ id }) => id)).size < PAGE) break
  }
  return votes
}

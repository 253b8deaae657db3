/**
 * What a project's ranking is learnt from, and what it has learnt.
 * @module
 */
import { eq, sql } from 'drizzle-orm'
import { newId } from '../../ids.ts'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { arrayIn } from '../json-column.ts'
import { type Outcome, rankingModels } from '../schema.ts'
import { deletionSince } from './deletions.ts'
import { trainingJob } from './jobs.ts'

/** Outcomes that a first training waits for; afterwards it waits for this share of what it has learnt from. */
const FIRST_TRAINING = 40
const GROWTH = 0.25

/**
 * Counts outcomes that the ranking has not learnt from, and writes the job that trains it when they are enough. Counting one
 * twice makes it learn a little earlier and changes nothing else.
 * @returns id of the job that was written; null: not due, or written before
 */
export async function noteRankingOutcome(database: Database, project: string, now: number): Promise<string | null> {
  const [, written] = await atomically(database, [
    sql`INSERT INTO ranking_models (project, pending) VALUES (${project}, 1)
        ON CONFLICT (project) DO UPDATE SET pending = pending + 1`,
    trainingJob(
      'train_ranking',
      project,
      newId(),
      sql`FROM ranking_models WHERE project = ${project} AND pending >= max(${FIRST_TRAINING}, examples * ${GROWTH})`,
      now,
    ),
  ])
  const [row] = written?.rows ?? []
  return row ? String(row.id) : null
}

export type RankingRow = typeof rankingModels.$inferSelect

/** What a project's ranking has learnt; null before the first outcome. */
export async function rankingRow(database: Database, project: string): Promise<RankingRow | null> {
  const [row] = await database.select().from(rankingModels).where(eq(rankingModels.project, project))
  return row ?? null
}

/**
 * Stores a trained ranking as the version after `model.version`.
 * @param model `learnt`: pending outcomes when its training began; `startedAt`: when it began
 * @returns false, and nothing is stored, when another training or a deletion came in between
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

/**
 * Forgets what a project's ranking has learnt, and has it learn again from what is left.
 * @returns id of the job; null: one waits or runs already, or nothing is left
 */
export async function resetRanking(database: Database, project: string, now: number): Promise<string | null> {
  const [, job] = await atomically(database, [
    sql`UPDATE ranking_models SET weights = NULL, needs = NULL, accepted = 0, gain = 0, standard_errors = 0, queries = 0, examples = 0, pending = 0,
          version = version + 1 WHERE project = ${project}`,
    trainingJob(
      'train_ranking',
      project,
      newId(),
      sql`FROM ranking_models
        WHERE project = ${project} AND EXISTS (SELECT 1 FROM interactions WHERE project = ${project} AND outcome IS NOT NULL)`,
      now,
    ),
  ])
  const [row] = job?.rows ?? []
  return row ? String(row.id) : null
}

/** One caller's vote on an answer, with the context that the answer rests on. */
export interface RankingVote {
  readonly query: string
  readonly caller: string
  readonly outcome: Outcome
  /** Context ids: those that were shown, when any was. */
  readonly items: readonly string[]
  /** Whether none of them was shown by a retrieval of the same key. */
  readonly unseen: boolean
  /** Items that the augmentation showed; 0: unknown. */
  readonly shown: number
}

interface NamedContext {
  readonly collection: string
  readonly item_id: string
  readonly given?: number
}

/** The items that an answer rests on: those that were shown; when none was, all that it names. */
export function namedItems(contexts: readonly NamedContext[]): Pick<RankingVote, 'items' | 'unseen'> {
  const given = contexts.filter(({ given = 1 }) => given === 1)
  const named = given.length > 0 ? given : contexts
  return { items: named.map((c) => `${c.collection}/${c.item_id}`), unseen: given.length === 0 }
}

/** An answer whose votes and context lie in an archive. */
export interface ArchivedAnswer extends Pick<RankingVote, 'query' | 'shown'> {
  readonly id: string
  readonly archiveId: string
  readonly project: string
}

/** Interactions that one query reads. */
const PAGE = 500

/**
 * Votes on a project's latest answers that rest on context, newest first; of those that are archived, where to find them.
 * @param limit of interactions with a known outcome that are read
 * @param characters of each query that are read
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

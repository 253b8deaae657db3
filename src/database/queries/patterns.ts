/**
 * Patterns and their source interactions.
 * @module
 */
import { eq, type SQL, sql } from 'drizzle-orm'
import { atomically, execute } from '../batch.ts'
import type { Database } from '../database.ts'
import { type Outcome, patterns } from '../schema.ts'

export type Pattern = typeof patterns.$inferSelect

/**
 * Stores a pattern, unless it exists, and one interaction as its source, atomically. If the interaction was deleted,
 * stores neither: a pattern must not outlive its source.
 */
export async function insertPattern(
  database: Database,
  id: string,
  project: string,
  pattern: Readonly<Pick<Pattern, 'collection' | 'title' | 'approach'>> & { readonly terms: readonly string[] },
  extractedBy: string,
  interactionId: string,
  now: number,
): Promise<void> {
  await atomically(database, [
    sql`INSERT INTO patterns (id, project, collection, title, approach, terms, extracted_by, created_at)
        SELECT ${id}, ${project}, ${pattern.collection}, ${pattern.title}, ${pattern.approach},
          ${JSON.stringify(pattern.terms)}, ${extractedBy}, ${now} FROM interactions WHERE id = ${interactionId}
        ON CONFLICT (id) DO NOTHING`,
    source(id, interactionId),
  ])
}

/** Adds an interaction to the sources of a pattern. Does nothing if either was deleted. */
export async function addSource(database: Database, patternId: string, interactionId: string): Promise<void> {
  await execute(database, source(patternId, interactionId))
}

function source(patternId: string, interactionId: string): SQL {
  return sql`INSERT INTO pattern_sources (pattern_id, interaction_id)
    SELECT p.id, i.id FROM patterns p, interactions i WHERE p.id = ${patternId} AND i.id = ${interactionId} ON CONFLICT DO NOTHING`
}

/** The patterns with these ids. Unknown ids are ignored. */
export async function findPatterns(database: Database, ids: readonly string[]): Promise<Pattern[]> {
  return database
    .select()
    .from(patterns)
    .where(sql`${patterns.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .orderBy(patterns.createdAt, patterns.id)
}

/** One pattern; null if it doesn't exist. */
export async function findPattern(database: Database, id: string): Promise<Pattern | null> {
  const [row] = await database.select().from(patterns).where(eq(patterns.id, id)).limit(1)
  return row ?? null
}

/** Ids of the patterns based on an interaction. */
export async function patternsOf(database: Database, interactionId: string): Promise<string[]> {
  const { rows } = await execute(
    database,
    sql`SELECT pattern_id FROM pattern_sources WHERE interaction_id = ${interactionId} ORDER BY pattern_id`,
  )
  return rows.map((row) => String(row.pattern_id))
}

/** A source interaction of a pattern, in its current state. */
export interface Evidence {
  readonly interactionId: string
  readonly query: string
  readonly outcome: Outcome | null
  readonly userFeedback: number | null
  readonly valueScore: number | null
  /** Whether its success was reported by a different caller than the one that tracked it, or by an admin key. */
  readonly verified: boolean
}

/** Maximum number of sources, newest first, that an item's examples and counts are computed from. */
const MAX_EVIDENCE = 500

/** The source interactions of a pattern, newest first, with their current outcomes. */
export async function evidenceOf(database: Database, patternId: string): Promise<Evidence[]> {
  const { rows } = await execute(
    database,
    sql`SELECT i.id, substr(i.query, 1, 500) AS query, i.outcome, i.user_feedback, i.value_score, i.verified
        FROM pattern_sources s JOIN interactions i ON i.id = s.interaction_id
        WHERE s.pattern_id = ${patternId} ORDER BY i.id DESC LIMIT ${MAX_EVIDENCE}`,
  )
  return rows.map((row) => ({
    interactionId: String(row.id),
    query: String(row.query),
    outcome: row.outcome as Outcome | null,
    userFeedback: row.user_feedback as number | null,
    valueScore: row.value_score as number | null,
    verified: Number(row.verified) === 1,
  }))
}

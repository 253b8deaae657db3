/**
 * Fills a coordinator's database with interactions, faster than through its API.
 * @module
 */
import type { LocalWorker } from '../../cli/harness.ts'
import { Progress } from '../../cli/shared/progress.ts'

const PIECE = 10_000

/** Id of the i-th interaction created by {@link addInteractions}. */
export function seededId(i: number): string {
  return `01a00000-0000-7000-8000-${i.toString(16).padStart(12, '0')}`
}

/** Whether the i-th interaction was left without an outcome. */
export function withoutOutcome(i: number): boolean {
  return i % 5 === 2
}

/** Inserts interactions of the last 90 days like tracking does, four of five with outcomes and scores. */
export async function addInteractions(worker: LocalWorker, count: number): Promise<void> {
  const now = Date.now()
  const progress = new Progress({ noun: 'interactions', total: count })
  for (let from = 0; from < count; from += PIECE) {
    await worker.query(
      `WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
       INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, had_context, outcome, value_score, revision, created_at, updated_at)
       SELECT printf('01a00000-0000-7000-8000-%012x', i), 'default', 'How do I configure part ' || i, 'Set it in the file.',
         CASE i % 4 WHEN 0 THEN 'local' ELSE 'remote' END, 'model-' || (i % 7), 100 + i % 900, 50, '[]', i % 3 > 0,
         CASE i % 5 WHEN 0 THEN 'failure' WHEN 1 THEN 'partial' WHEN 2 THEN NULL ELSE 'success' END,
         CASE WHEN i % 5 = 2 THEN NULL ELSE (i % 97) / 97.0 END, 1, ? - (i % 90) * 86400000, 0 FROM n`,
      from,
      Math.min(count, from + PIECE),
      now,
    )
    progress.update(Math.min(count, from + PIECE), '')
  }
  progress.finish()
}

/**
 * A project with many interactions, made by the database itself.
 */
import { env } from 'cloudflare:workers'

/** Adds interactions with all that comes of one, as if each had been asked, routed, answered, judged and scored. */
export async function grow(project: string, from: number, to: number): Promise<void> {
  const numbers = `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to - 1})`
  const id = (kind: number) => `printf('0190b6f0-%04x-7${kind}00-8000-%012x', i / 65536, i)`
  const statements = [
    `INSERT INTO retrievals (id, project, operation, query, shown, token_budget, tokens_added, tokens_whole, control_share, latency_ms, created_at)
     ${numbers} SELECT ${id(1)}, ?1, 'augment_query', 'How do I do thing ' || i, '[]', 1000, 10, 100, 0.1, 1, 1790000000000 + (i % 3) * 86400000 FROM n`,
    `INSERT INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at)
     ${numbers} SELECT ${id(2)}, ?1, 'How do I do thing ' || i, 'hybrid', 'remote', '{"probability":0.5}', 1, 1790000000000 + (i % 3) * 86400000 FROM n`,
    `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, retrieval_id, decision_id,
       had_context, outcome, user_feedback, value_score, revision, conversation_id, variant, caller, created_at, updated_at)
     ${numbers} SELECT ${id(3)}, ?1, 'How do I do thing ' || i, 'Like so.', 'remote', 'm', 10, 1, '["release"]', ${id(1)}, ${id(2)},
       1, iif(i % 3, 'success', 'failure'), 0, 0.5, 1, 'c' || (i / 5), 'short', 'agent', 1790000000000 + (i % 3) * 86400000, 1790000000000 + (i % 3) * 86400000 FROM n`,
    `INSERT INTO interaction_contexts (interaction_id, collection, item_id, position)
     ${numbers} SELECT ${id(3)}, 'best-practices', 'item' || (i % 50), 0 FROM n`,
    `INSERT INTO outcome_events (id, interaction_id, project, outcome, user_feedback, caller, created_at)
     ${numbers} SELECT ${id(4)}, ${id(3)}, ?1, 'success', 0, 'agent', 1790000000000 + (i % 3) * 86400000 FROM n`,
    `INSERT INTO outcome_votes (interaction_id, caller, outcome, credited)
     ${numbers} SELECT ${id(3)}, 'agent', 'success', 'success' FROM n`,
    ...['index_interaction', 'score_interaction'].map(
      (
        kind,
        at,
      ) => `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, created_at, updated_at)
     ${numbers} SELECT ${id(5 + at)}, ?1, '${kind}', ${id(3)}, ${at}, 'done', 1, 0, 0, 0 FROM n`,
    ),
  ]
  const bound = (sql: string) => env.DB.prepare(sql).bind(...(sql.includes('?1') ? [project] : []))
  await env.DB.batch(statements.map(bound))
}

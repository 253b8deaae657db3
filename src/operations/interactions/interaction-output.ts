/**
 * An interaction, as returned to callers.
 * @module
 */
import * as z from 'zod'
import type { Interaction } from '../../database/queries/interactions.ts'
import { valuePartsOutput } from './outcome-answer.ts'

export const interactionOutput = z.object({
  interaction_id: z.string(),
  project: z.string(),
  query: z.string(),
  response: z.string(),
  agent_type: z.enum(['local', 'remote']),
  model_used: z.string(),
  tokens_used: z.int().nullable().describe('Tokens of prompt and answer; null: nobody reported them.'),
  latency_ms: z.number(),
  tags: z.array(z.string()),
  variant: z.string().nullable(),
  conversation_id: z.string().nullable(),
  outcome: z.enum(['success', 'partial', 'failure']).nullable().describe('null: not reported yet.'),
  user_feedback: z.int().nullable().describe('-1, 0 or 1; null: nobody rated.'),
  revision: z.int(),
  value_score: z.number().nullable().describe('0 to 1; null: not scored yet, or no outcome known.'),
  value_parts: valuePartsOutput.nullable(),
  value_version: z.string().nullable().describe('Version of the formula.'),
  created_at: z.number().describe('Milliseconds since 1970.'),
  updated_at: z.number().describe('Milliseconds since 1970.'),
  archived: z.boolean().describe('Its answer, contexts and history lie in R2, see ARCHIVE_AFTER_DAYS.'),
})

/** A row in the form of interactionOutput. */
export function presentInteraction(row: Interaction): z.input<typeof interactionOutput> {
  return {
    interaction_id: row.id,
    project: row.project,
    query: row.query,
    response: row.response,
    agent_type: row.agentType,
    model_used: row.modelUsed,
    // Every answer uses tokens: a stored 0 means that they were not counted.
    tokens_used: row.tokensUsed || null,
    latency_ms: row.latencyMs,
    tags: row.tags,
    variant: row.variant,
    conversation_id: row.conversationId,
    outcome: row.outcome,
    user_feedback: row.userFeedback,
    revision: row.revision,
    value_score: row.valueScore,
    value_parts: row.valueParts,
    value_version: row.valueVersion,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    archived: row.archiveId !== null,
  }
}

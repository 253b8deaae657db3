import * as z from 'zod'
import { noteAnswer } from '../../conversation/note-answer.ts'
import { insertInteraction } from '../../database/queries/interactions.ts'
import { line, optionalText, queryText, responseText } from '../../knowledge/text-fields.ts'
import { DAY_MS } from '../../time.ts'
import { agentType, idempotencyKey, project, tags, uuid } from '../fields.ts'
import { countWriting } from '../ingest-quota.ts'
import { holds } from '../invoke.ts'
import { ADDS, operation } from '../operation.ts'
import { truncated, truncatedTurn, viewTruncated } from '../truncated.ts'
import { resolveContexts } from './context-references.ts'

/** Records a question, its answer and the context that was used. */
export const trackInteraction = operation({
  name: 'track_interaction',
  group: 'interactions',
  title: 'Track an interaction',
  description:
    'Record an answer right after giving it, with the context it was based on. Returns interaction_id: pass it to ' +
    'update_outcome once it is known whether the answer worked.',
  scope: 'write',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/track_interaction' }],
  input: z.strictObject({
    query: queryText.describe('The request or question, as for augment_query.'),
    response: responseText.describe('The answer that was given.'),
    agent_type: agentType.describe('remote for a hosted model or agent, local for a model on your own machine.'),
    model_used: line(200).describe('Name of the model that answered.'),
    context_ids: z.array(line(200)).max(200).default([]).describe('context_ids of augment_query, in the same order.'),
    tokens_used: z.int().min(0).max(100_000_000).optional().describe('Tokens of prompt and answer together.'),
    latency_ms: z.number().min(0).max(DAY_MS).default(0).describe('Milliseconds until the answer was complete.'),
    project,
    conversation_id: optionalText(200).optional().describe('conversation_id that was given to augment_query.'),
    retrieval_id: uuid.optional().describe('retrieval_id of augment_query.'),
    decision_id: uuid.optional().describe('decision_id of route_query, if it routed this query.'),
    variant: line(100).optional().describe('Name of the variant under test, for compare_variants.'),
    tags: tags.default([]),
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({
    interaction_id: z.string(),
    status: z.enum(['recorded', 'unchanged']).describe('unchanged: this idempotency key was known already.'),
    index: z.literal('pending').describe('Becomes searchable in interaction-history in the background.'),
    unknown_context_ids: z
      .array(z.string())
      .optional()
      .describe(
        'Context ids that name nothing stored in the project, so nothing is learnt about them. Left out: none.',
      ),
    truncated,
  }),
  async run(services, input, caller) {
    await countWriting(services, input.project, 1, input)
    const { contexts, unknown } = await resolveContexts(services, input.project, input.context_ids)
    const { id, created, jobId } = await insertInteraction(
      services.database,
      {
        project: input.project,
        query: input.query,
        response: input.response,
        agentType: input.agent_type,
        modelUsed: input.model_used,
        tokensUsed: input.tokens_used ?? 0,
        latencyMs: input.latency_ms,
        tags: [...new Set(input.tags)],
        variant: input.variant ?? null,
        conversationId: input.conversation_id || null,
        retrievalId: input.retrieval_id ?? null,
        decisionId: input.decision_id ?? null,
        idempotencyKey: input.idempotency_key ?? null,
        caller: caller.id,
        admin: holds(caller, 'admin'),
        contexts,
      },
      services.now(),
    )
    if (jobId) await services.enqueueJobs([jobId]).catch(() => undefined)
    if (created && input.conversation_id) await noteAnswer(services, input.project, input.conversation_id, input)
    return {
      interaction_id: id,
      status: created ? ('recorded' as const) : ('unchanged' as const),
      index: 'pending' as const,
      ...(unknown.length > 0 && { unknown_context_ids: unknown }),
      ...viewTruncated(truncatedTurn('', input)),
    }
  },
})

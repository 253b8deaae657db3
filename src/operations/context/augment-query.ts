import * as z from 'zod'
import { considerSummary } from '../../conversation/summarise.ts'
import { queryText } from '../../knowledge/text-fields.ts'
import { augment } from '../../retrieval/augment.ts'
import { TOKENIZER } from '../../text/token-counter.ts'
import { emptyProjectNote, note } from '../empty-project.ts'
import { agentType, collections, conversationId, degraded, project, scoreThreshold, tokenBudget } from '../fields.ts'
import { assertScope } from '../invoke.ts'
import { ADDS, operation } from '../operation.ts'
import { truncated, viewTruncatedQuery } from '../truncated.ts'
import {
  absenceReason,
  alreadySentView,
  contextView,
  indexView,
  nearestView,
  viewAlreadySent,
  viewContexts,
  viewIndex,
  viewNearest,
} from './context-views.ts'

/** Number of items listed for a model when nothing was relevant enough. */
const BRIEF_NEAREST = 3

export const augmentQuery = operation({
  name: 'augment_query',
  group: 'context',
  title: 'Augment a query',
  description:
    "Call this first, before any task that the team's code, conventions or earlier fixes could inform. Finds the few " +
    'relevant passages and returns augmented_prompt: your query followed by them, or by a note that nothing is relevant. ' +
    'Pass its context_ids and retrieval_id to track_interaction.',
  scope: 'read',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/augment_query' }],
  input: z.strictObject({
    project,
    query: queryText.describe('The request or question, in the words of the person.'),
    agent_type: agentType.default('remote'),
    conversation_id: conversationId.optional(),
    token_budget: tokenBudget.optional(),
    collections: collections.optional(),
    score_threshold: scoreThreshold
      .optional()
      .describe('Minimum probability that what was found answers the query, 0 to 1. Left out: RELEVANCE_THRESHOLD.'),
    detail: z
      .enum(['full', 'index'])
      .default('full')
      .describe(
        'index: one line per item (title, reason, tokens, id) instead of its text, where that costs less; read the text with get_context_items.',
      ),
  }),
  output: z.object({
    augmented_prompt: z.string(),
    original_query: z.string(),
    context_ids: z.array(z.string()),
    context_count: z.int(),
    contexts: z.array(contextView),
    index: z.array(indexView).describe('Filled when detail is index.'),
    already_sent: z
      .array(alreadySentView)
      .describe('Relevant context that an earlier turn of the conversation carried.'),
    absence_reason: absenceReason,
    nearest: z.array(nearestView).describe('Filled when nothing was relevant enough: what came closest, best first.'),
    note,
    best_probability: z.number().nullable().describe('Of the best item found, shown or not; null: nothing was found.'),
    answer_probability: z.number().describe('Probability that anything found answers the query.'),
    relevance_threshold: z.number().describe('Nothing is shown when answer_probability is below it.'),
    token_count: z.int().describe('Tokens that the prompt has more than the query: context, headings, delimiters.'),
    token_budget: z.int(),
    tokens_saved: z.int().describe('Tokens of useful passages that were not sent again.'),
    tokenizer: z.string(),
    held_out: z
      .int()
      .describe('Relevant items that were left out at random, to measure what each adds; see HOLD_OUT_SHARE.'),
    suggestions: z.array(z.string()).describe('What else was found, to ask about next.'),
    retrieval_id: z.string(),
    turn_number: z.int().nullable().describe('Null without a conversation_id.'),
    latency_ms: z.number(),
    degraded,
    truncated,
  }),
  brief(output) {
    const { augmented_prompt, context_ids, context_count, original_query, retrieval_id, absence_reason, degraded } =
      output
    return {
      augmented_prompt,
      context_ids,
      context_count,
      original_query,
      retrieval_id,
      ...(absence_reason !== null && { absence_reason }),
      ...(output.note !== undefined && { note: output.note }),
      ...(output.nearest.length > 0 && {
        nearest: output.nearest.slice(0, BRIEF_NEAREST).map(({ context_id, title }) => ({ context_id, title })),
      }),
      ...(degraded.length > 0 && { degraded }),
    }
  },
  async run(services, input, caller) {
    // The turn is stored and becomes part of the conversation's summary.
    if (input.conversation_id !== undefined) assertScope(caller, 'write', 'conversation_id')
    const started = services.now()
    const budget = input.token_budget ?? services.settings.DEFAULT_TOKEN_BUDGET
    const result = await augment(services, {
      operation: 'augment_query',
      caller: caller.id,
      project: input.project,
      query: input.query,
      collections: input.collections,
      tokenBudget: budget,
      scoreThreshold: input.score_threshold,
      detail: input.detail,
      conversationId: input.conversation_id,
    })
    await considerSummary(services, input.project, input.conversation_id, result.turnNumber)
    return {
      augmented_prompt: result.prompt,
      original_query: input.query,
      context_ids: result.contextIds,
      context_count: result.contextIds.length,
      contexts: viewContexts(result),
      index: viewIndex(result),
      already_sent: viewAlreadySent(result),
      absence_reason: result.absence,
      nearest: viewNearest(result),
      ...(result.bestProbability === null && (await emptyProjectNote(services, input.project, caller))),
      best_probability: result.bestProbability,
      answer_probability: result.answerable,
      relevance_threshold: result.threshold,
      token_count: result.tokens,
      token_budget: budget,
      tokens_saved: result.tokensSpared,
      tokenizer: TOKENIZER,
      held_out: result.heldOut,
      suggestions: result.suggestions,
      retrieval_id: result.retrievalId,
      turn_number: result.turnNumber,
      latency_ms: services.now() - started,
      degraded: result.degraded,
      ...viewTruncatedQuery(result.truncated),
    }
  },
})

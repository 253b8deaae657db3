import * as z from 'zod'
import { considerSummary } from '../../conversation/summarise.ts'
import { newId } from '../../ids.ts'
import { queryText } from '../../knowledge/text-fields.ts'
import { augment } from '../../retrieval/augment.ts'
import { TOKENIZER } from '../../text/token-counter.ts'
import { emptyProjectNote, note } from '../empty-project.ts'
import { collectionName, contextIdField, conversationId, degraded, project, tokenBudget } from '../fields.ts'
import { assertScope } from '../invoke.ts'
import { ADDS, operation } from '../operation.ts'
import { truncated, viewTruncatedQuery } from '../truncated.ts'
import { absenceReason, alreadySentView, contextView, viewAlreadySent, viewContexts } from './context-views.ts'

export const multiTurnContext = operation({
  name: 'multi_turn_context',
  group: 'context',
  title: 'Context for a turn of a conversation',
  description:
    'Get the context for the next turn of a conversation: passages that were not sent before, that have changed since, or ' +
    'that were sent so long ago that the model has probably lost them. Without a session_id a new session starts; pass the ' +
    'returned one in the next turn.',
  scope: 'read',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/context/multi_turn' }],
  input: z.strictObject({
    project,
    query: queryText.describe('The request or question of this turn.'),
    session_id: conversationId.optional(),
    context_level: z
      .enum(['standard', 'detailed', 'comprehensive'])
      .default('standard')
      .describe('How many items are considered (10, 15 or 25) and how useful a passage must be to be sent.'),
    previous_context_ids: z
      .array(contextIdField)
      .max(1000)
      .default([])
      .describe('Context ids that the model still has in view.'),
    max_tokens: tokenBudget.default(2000),
  }),
  output: z.object({
    context: z.string(),
    context_ids: z.array(z.string()),
    contexts: z.array(contextView),
    already_sent: z.array(alreadySentView).describe('Relevant context that the model has from earlier turns.'),
    absence_reason: absenceReason,
    note,
    suggestions: z.array(z.string()).describe('What else was found, to ask about next.'),
    token_count: z.int(),
    tokens_saved: z.int().describe('Tokens of useful passages that were not sent again.'),
    tokenizer: z.string(),
    collections_searched: z.array(collectionName),
    session_id: z.string(),
    turn_number: z.int().nullable().describe('Null when the conversation could not be reached.'),
    retrieval_id: z.string(),
    degraded,
    truncated,
  }),
  brief(output) {
    const { contexts: _, already_sent, tokenizer: __, tokens_saved: ___, degraded, ...rest } = output
    return {
      ...rest,
      ...(already_sent.length > 0 && { already_sent: already_sent.map(({ context_id }) => context_id) }),
      ...(degraded.length > 0 && { degraded }),
    }
  },
  async run(services, input, caller) {
    // The turn is stored and becomes part of the conversation's summary.
    assertScope(caller, 'write')
    const session = input.session_id ?? newId()
    const result = await augment(services, {
      operation: 'multi_turn_context',
      caller: caller.id,
      project: input.project,
      query: input.query,
      level: input.context_level,
      tokenBudget: input.max_tokens,
      conversationId: session,
      exclude: new Set(input.previous_context_ids),
    })
    await considerSummary(services, input.project, session, result.turnNumber)
    return {
      context: result.context,
      context_ids: result.contextIds,
      contexts: viewContexts(result),
      already_sent: viewAlreadySent(result),
      absence_reason: result.absence,
      ...(result.bestProbability === null && (await emptyProjectNote(services, input.project, caller))),
      suggestions: result.suggestions,
      token_count: result.tokens,
      tokens_saved: result.tokensSpared,
      tokenizer: TOKENIZER,
      collections_searched: [...result.collections],
      session_id: session,
      turn_number: result.turnNumber,
      retrieval_id: result.retrievalId,
      degraded: result.degraded,
      ...viewTruncatedQuery(result.truncated),
    }
  },
})

import * as z from 'zod'
import { recordRetrieval } from '../../database/queries/retrievals.ts'
import { newId } from '../../ids.ts'
import { contextId } from '../../knowledge/collections.ts'
import { sourceOf } from '../../retrieval/packing.ts'
import { composeContext, renderContext } from '../../retrieval/prompt.ts'
import { TOKENIZER, tokenCounter } from '../../text/token-counter.ts'
import {
  contextIdField,
  conversationId,
  degraded,
  project,
  suspectedInstructions,
  tokenBudget,
  warningOf,
} from '../fields.ts'
import { ADDS, operation } from '../operation.ts'
import { readItems } from './context-views.ts'

/** Returns the full text of items listed in an index. */
export const getContextItems = operation({
  name: 'get_context_items',
  group: 'context',
  title: 'Read context items',
  description:
    'Read the full text of items by the context ids that augment_query or a search returned, in that order, until the token ' +
    'budget is spent; the last one is trimmed. With a conversation_id they count as sent in its latest turn.',
  scope: 'read',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/context/items' }],
  input: z.strictObject({
    project,
    context_ids: z.array(contextIdField).min(1).max(50).describe('Ids of the items to read, the most important first.'),
    token_budget: tokenBudget.optional(),
    conversation_id: conversationId.optional(),
  }),
  output: z.object({
    context: z.string().describe('The items, each between delimiters with its source.'),
    items: z.array(
      z.object({
        context_id: z.string(),
        title: z.string(),
        tokens: z.int().describe('Tokens of what is shown of it.'),
        tokens_whole: z.int(),
        complete: z.boolean().describe('False: trimmed to the budget.'),
        suspected_instructions: suspectedInstructions,
      }),
    ),
    left_out: z.array(z.string()).describe('Ids that did not fit into the budget.'),
    missing: z.array(z.string()).describe('Ids that are not stored (any more).'),
    token_count: z.int(),
    token_budget: z.int(),
    tokenizer: z.string(),
    retrieval_id: z.string(),
    degraded,
  }),
  brief({ context, items, left_out, missing, retrieval_id }) {
    const trimmed = items.filter(({ complete }) => !complete).map(({ context_id }) => context_id)
    return { context, trimmed, left_out, missing, retrieval_id }
  },
  async run(services, input, caller) {
    const started = services.now()
    const budget = input.token_budget ?? services.settings.DEFAULT_TOKEN_BUDGET
    const ids = [...new Set(input.context_ids)]
    const [found, countTokens] = await Promise.all([readItems(services, input.project, ids), tokenCounter()])
    const items = ids.flatMap((id) => found.get(id) ?? [])
    const composed = composeContext(
      {
        // The items were requested by id: all passages have equal value, and earlier ids rank higher.
        items: items.map((item, i) => ({ item, probability: 1 - i / 1000 })),
        termWeights: new Map(),
        termsOf: () => [],
        leastShare: 0,
        budget,
        countTokens,
      },
      1,
    )
    const shown = composed.packed.map((entry) => ({ ...entry, id: contextId(entry.item.collection, entry.item.id) }))
    const retrievalId = newId()
    const unreachable: string[] = []
    const [, added] = await Promise.all([
      recordRetrieval(services.database, {
        id: retrievalId,
        project: input.project,
        operation: 'get_context_items',
        caller: caller.id,
        query: '',
        conversationId: input.conversation_id ?? null,
        shown: shown.map(({ id, tokens }, i) => ({ context_id: id, rank: i + 1, probability: 1, tokens })),
        tokenBudget: budget,
        tokensAdded: composed.tokens,
        tokensWhole: shown.reduce((sum, { tokensWhole }) => sum + tokensWhole, 0),
        latencyMs: services.now() - started,
        createdAt: started,
      }).catch(() => {
        // The items were found. A failed log write affects only statistics, not the answer.
        unreachable.push('log')
      }),
      input.conversation_id === undefined
        ? null
        : services.conversations
            .addContext(
              input.project,
              input.conversation_id,
              composed.tokens,
              shown.map(({ id, item, excerpts, tokens }) => ({
                contextId: id,
                version: item.updatedAt,
                title: sourceOf(item),
                stretches: excerpts,
                tokens,
              })),
            )
            .catch(() => {
              unreachable.push('conversation')
              return null
            }),
    ])
    const shownIds = new Set<string>(shown.map(({ id }) => id))
    return {
      context: added ? renderContext(composed.packed, added.numbers, composed.delimiter) : composed.text,
      items: shown.map(({ id, item, tokens, tokensWhole, whole }) => ({
        context_id: id,
        title: item.title.split('\n')[0] ?? '',
        tokens,
        tokens_whole: tokensWhole,
        complete: whole,
        ...warningOf(item),
      })),
      left_out: ids.filter((id) => found.has(id) && !shownIds.has(id)),
      missing: ids.filter((id) => !found.has(id)),
      token_count: composed.tokens,
      token_budget: budget,
      tokenizer: TOKENIZER,
      retrieval_id: retrievalId,
      degraded: unreachable,
    }
  },
})

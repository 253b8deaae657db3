import * as z from 'zod'
import { queryText } from '../knowledge/text-fields.ts'
import { augment } from '../retrieval/augment.ts'
import { renderPrompt } from '../retrieval/prompt.ts'
import { TOKENIZER } from '../text/token-counter.ts'
import { agentType, collectionName, collections, conversationId, degraded, project, tokenBudget } from './fields.ts'
import { ADDS, operation } from './operation.ts'

/** Items that augmentation chooses passages from. */
const CANDIDATES = 8

export const contextView = z.object({
  context_id: z.string(),
  collection: collectionName,
  title: z.string(),
  probability: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
  tokens: z.int().describe('Tokens of what is shown of it.'),
  tokens_whole: z.int().describe('Tokens of the whole item.'),
})

export const augmentQuery = operation({
  name: 'augment_query',
  title: 'Augment a query',
  description:
    "Call this first: finds the few passages of the team's own knowledge (code, patterns, error solutions, best practices, " +
    'corrections) that a query needs and returns a prompt that carries them within a token budget. When nothing is relevant ' +
    'it adds nothing and says so. Pass the context_ids to track_interaction afterwards.',
  scope: 'read',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/augment_query' }],
  input: z.strictObject({
    project,
    query: queryText,
    agent_type: agentType.default('remote'),
    conversation_id: conversationId.optional(),
    token_budget: tokenBudget.optional(),
    collections: collections.optional(),
  }),
  output: z.object({
    augmented_prompt: z.string(),
    original_query: z.string(),
    context_ids: z.array(z.string()),
    context_count: z.int(),
    contexts: z.array(contextView),
    already_sent: z.array(z.string()).describe('Relevant context that an earlier turn of the conversation carried.'),
    best_probability: z.number().nullable().describe('Of the best item found, shown or not; null: nothing was found.'),
    relevance_threshold: z.number().describe('Items below this probability are not shown.'),
    token_count: z.int().describe('Tokens of context added to the query.'),
    token_budget: z.int(),
    tokenizer: z.string(),
    retrieval_id: z.string(),
    latency_ms: z.number(),
    degraded,
  }),
  async run(services, input) {
    const started = services.now()
    const budget = input.token_budget ?? services.settings.DEFAULT_TOKEN_BUDGET
    const result = await augment(services, {
      operation: 'augment_query',
      project: input.project,
      query: input.query,
      collections: input.collections,
      items: CANDIDATES,
      tokenBudget: budget,
      conversationId: input.conversation_id,
    })
    return {
      augmented_prompt: renderPrompt(input.query, result.packed),
      original_query: input.query,
      context_ids: result.contextIds,
      context_count: result.contextIds.length,
      contexts: result.packed.map((entry, i) => ({
        context_id: result.contextIds[i] ?? '',
        collection: entry.item.collection,
        title: entry.item.title.split('\n')[0] ?? '',
        probability: entry.probability,
        tokens: entry.tokens,
        tokens_whole: entry.tokensWhole,
      })),
      already_sent: result.alreadySent,
      best_probability: result.bestProbability,
      relevance_threshold: services.settings.RELEVANCE_THRESHOLD,
      token_count: result.tokens,
      token_budget: budget,
      tokenizer: TOKENIZER,
      retrieval_id: result.retrievalId,
      latency_ms: services.now() - started,
      degraded: result.degraded,
    }
  },
})

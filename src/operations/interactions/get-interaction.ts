import * as z from 'zod'
import { wholeInteraction } from '../../archive/read.ts'
import { findRetrieval } from '../../database/queries/retrievals.ts'
import { findDecision } from '../../database/queries/routing.ts'
import { notFound } from '../../errors.ts'
import { uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { decisionView, viewDecision } from '../routing/routing-views.ts'
import { interactionOutput, presentInteraction } from './interaction-output.ts'

/** Returns one interaction with its context and outcome history. */
export const getInteraction = operation({
  name: 'get_interaction',
  group: 'interactions',
  title: 'Read an interaction',
  description:
    'Get a tracked interaction: query, answer, context, routing, outcome with its history, and value score with its parts.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/interactions/{interaction_id}' }],
  input: z.strictObject({ interaction_id: uuid.describe('interaction_id of track_interaction.') }),
  output: interactionOutput.extend({
    contexts: z.array(
      z.object({
        context_id: z.string(),
        position: z.int().describe('From 0, in the order shown.'),
      }),
    ),
    retrieval: z
      .object({
        retrieval_id: z.string(),
        query: z.string(),
        shown: z
          .array(z.object({ context_id: z.string(), rank: z.int(), probability: z.number(), tokens: z.int() }))
          .describe('What the prompt carried, in its order.'),
        tokens_added: z.int(),
        token_budget: z.int(),
        latency_ms: z.number(),
        control: z.boolean().describe('Context was found and withheld, see CONTROL_GROUP_SHARE.'),
      })
      .nullable()
      .describe('The augmentation that the answer named; null: none, or pruned.'),
    routing: decisionView.nullable().describe('The decision that the answer named; null: none.'),
    history: z.array(
      z.object({
        outcome: z.string().nullable(),
        user_feedback: z.int().nullable(),
        at: z.number().describe('Milliseconds since 1970.'),
      }),
    ),
  }),
  async run(services, input, caller) {
    const found = await wholeInteraction(services, input.interaction_id, caller.project)
    if (!found) throw notFound('interaction', 'interaction_id')
    const { row, contexts, history } = found
    const [decision, retrieval] = await Promise.all([
      row.decisionId === null ? null : findDecision(services.database, row.project, row.decisionId),
      row.retrievalId === null ? null : findRetrieval(services.database, row.project, row.retrievalId),
    ])
    return {
      ...presentInteraction(row),
      contexts: contexts.map(({ contextId, position }) => ({ context_id: contextId, position })),
      retrieval: retrieval && {
        retrieval_id: retrieval.id,
        query: retrieval.query,
        shown: retrieval.shown,
        tokens_added: retrieval.tokensAdded,
        token_budget: retrieval.tokenBudget,
        latency_ms: retrieval.latencyMs,
        control: retrieval.control,
      },
      routing: decision && viewDecision(decision),
      history: history.map(({ outcome, userFeedback, at }) => ({ outcome, user_feedback: userFeedback, at })),
    }
  },
})

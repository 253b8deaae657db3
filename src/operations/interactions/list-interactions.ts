import * as z from 'zod'
import { textsOf } from '../../archive/read.ts'
import {
  countInteractions,
  INTERACTION_ORDERS,
  type InteractionFilter,
  LISTED_CHARACTERS,
  listInteractions as list,
  MAX_COUNTED,
  MAX_SCANNED,
} from '../../database/queries/interactions.ts'
import { line } from '../../knowledge/text-fields.ts'
import { tokenCounter } from '../../text/token-counter.ts'
import { LIST_ITEM_TOKENS, rounded, shortened } from '../brief-views.ts'
import {
  agentType,
  conversationId,
  cursor,
  degraded,
  limit,
  outcome,
  project,
  tags,
  timestamp,
  uuid,
} from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { interactionOutput, presentInteraction } from './interaction-output.ts'

/** Lists interactions of a project. */
export const listInteractions = operation({
  name: 'list_interactions',
  group: 'interactions',
  title: 'List interactions',
  description:
    'List tracked interactions with their number, filtered by words, outcome, value score, model, agent, variant, tags, ' +
    'conversation and time. Long queries and answers are cut; get_interaction shows them whole.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/interactions' }],
  input: z.strictObject({
    project,
    outcome: outcome.or(z.literal('none')).optional().describe('Only this outcome; none: not reported yet.'),
    text: line(500)
      .optional()
      .describe(`Words that must all be in the query or the answer; searches the latest ${MAX_SCANNED} interactions.`),
    order: z
      .enum(INTERACTION_ORDERS)
      .default('newest')
      .describe(
        `best and worst sort by value score. All orders except newest and oldest cover the latest ${MAX_SCANNED}.`,
      ),
    conversation_id: conversationId.optional().describe('Only turns of this conversation.'),
    min_value_score: z.number().min(0).max(1).optional().describe('Minimum value score, 0 to 1, such as 0.7.'),
    model_used: line(200).optional().describe('Only answers of this model.'),
    agent_type: agentType.optional(),
    variant: line(100).optional().describe('Only interactions of this variant.'),
    tags: tags.optional().describe('Only interactions with all of these tags.'),
    since: timestamp.optional().describe('Created at or after this time, in milliseconds since 1970.'),
    until: timestamp.optional().describe('Created before this time, in milliseconds since 1970.'),
    limit: limit(20),
    cursor: cursor.pipe(uuid).optional().describe('next_cursor of the previous page.'),
  }),
  output: z.object({
    interactions: z.array(
      interactionOutput.extend({ truncated: z.boolean().describe('Query or response is cut to 500 characters.') }),
    ),
    total: z.int().nullable().describe(`Interactions that match, counted up to ${MAX_COUNTED}; null on later pages.`),
    next_cursor: z.string().nullable(),
    degraded: degraded.describe('Damaged interactions that are left out, as `interaction:<id>`.'),
  }),
  async brief({ interactions, total, next_cursor, degraded }) {
    const countTokens = await tokenCounter()
    const brief = (text: string) => shortened(text, LIST_ITEM_TOKENS / 2, countTokens)
    return {
      interactions: interactions.map(({ interaction_id, query, response, model_used, ...row }) => ({
        interaction_id,
        query: brief(query),
        response: brief(response),
        model_used,
        outcome: row.outcome,
        user_feedback: row.user_feedback,
        value_score: row.value_score === null ? null : rounded(row.value_score),
        ...(row.tags.length > 0 && { tags: row.tags }),
        created_at: row.created_at,
      })),
      total,
      next_cursor,
      ...(degraded.length > 0 && { degraded }),
    }
  },
  async run(services, input) {
    const wanted: InteractionFilter = {
      project: input.project,
      outcome: input.outcome,
      agentType: input.agent_type,
      variant: input.variant,
      modelUsed: input.model_used,
      minScore: input.min_value_score,
      tags: input.tags,
      since: input.since,
      until: input.until,
      conversationId: input.conversation_id,
      words: input.text?.split(/\s+/).filter((word) => word !== ''),
    }
    const [rows, total] = await Promise.all([
      list(services.database, wanted, { after: input.cursor ?? null, limit: input.limit, order: input.order }),
      input.cursor === undefined ? countInteractions(services.database, wanted) : null,
    ])
    const listed = rows.slice(0, input.limit)
    const page = listed.filter(({ damaged }) => !damaged)
    const archived = page.flatMap(({ id, archiveId }) => (archiveId === null ? [] : [id]))
    const texts = await textsOf(services, archived)
    return {
      interactions: page.map((row) => {
        const { query, response } = texts.get(row.id) ?? row
        return {
          ...presentInteraction({ ...row, query: beginning(query), response: beginning(response) }),
          truncated: isLonger(query) || isLonger(response),
        }
      }),
      total,
      next_cursor: rows.length > input.limit ? (listed.at(-1)?.id ?? null) : null,
      degraded: listed.filter(({ damaged }) => damaged).map(({ id }) => `interaction:${id}`),
    }
  },
})

/** Truncates by code points, because SQLite counts code points. */
function beginning(text: string): string {
  return isLonger(text) ? Array.from(text).slice(0, LISTED_CHARACTERS).join('') : text
}

function isLonger(text: string): boolean {
  return text.length > LISTED_CHARACTERS && Array.from(text).length > LISTED_CHARACTERS
}

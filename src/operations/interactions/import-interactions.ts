import * as z from 'zod'
import { type ImportedInteraction, importInteractions as store } from '../../database/queries/imports.ts'
import { noteOutcomes } from '../../database/queries/routing.ts'
import { line, queryText, responseText } from '../../knowledge/text-fields.ts'
import { DAY_MS } from '../../time.ts'
import { agentType, idempotencyKey, outcome, project, tags, timestamp, userFeedback } from '../fields.ts'
import { countIngest } from '../ingest-quota.ts'
import { holds } from '../invoke.ts'
import { ADDS, operation } from '../operation.ts'
import { truncated, truncatedTurn, viewTruncated } from '../truncated.ts'

/** Maximum number of interactions that one call imports. */
const MAX_IMPORT = 500
/** The last millisecond of the year 9999. SQLite can't convert later times to a date. */
const MAX_CREATED_AT = 253_402_300_799_999
/** Maximum number of characters written in one transaction. */
const CHUNK_CHARACTERS = 400_000

/** Imports interactions that happened elsewhere, with their outcomes. */
export const importInteractions = operation({
  name: 'import_interactions',
  group: 'interactions',
  title: 'Import interactions',
  description:
    'Import interactions that happened elsewhere, with their outcomes, up to 500 per call. With idempotency keys an import can be ' +
    'repeated or resumed; known keys change nothing.',
  scope: 'learn',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/interactions/import' }],
  input: z.strictObject({
    project,
    interactions: z
      .array(
        z.strictObject({
          query: queryText.describe('The request or question.'),
          response: responseText.describe('The answer that was given.'),
          agent_type: agentType,
          model_used: line(200).describe('Name of the model that answered.'),
          outcome: outcome.optional(),
          user_feedback: userFeedback.optional(),
          tokens_used: z.int().min(0).max(100_000_000).optional().describe('Tokens of prompt and answer together.'),
          latency_ms: z.number().min(0).max(DAY_MS).default(0).describe('Milliseconds until the answer was complete.'),
          tags: tags.default([]),
          variant: line(100).optional().describe('Name of the variant under test.'),
          idempotency_key: idempotencyKey.optional(),
          created_at: timestamp
            .min(0)
            .max(MAX_CREATED_AT)
            .optional()
            .describe('When it happened, in milliseconds since 1970. Left out: now.'),
        }),
      )
      .min(1)
      .max(MAX_IMPORT)
      .describe('The interactions to import.'),
    learn: z.boolean().default(true).describe('Whether to index and score them. False: only routing learns from them.'),
  }),
  output: z.object({
    interaction_ids: z.array(z.string()).describe('In order.'),
    imported: z.int(),
    unchanged: z.int().describe('Known by their idempotency key.'),
    truncated,
  }),
  async run(services, input, caller) {
    const { database } = services
    const now = services.now()
    const ids: string[] = []
    let imported = 0
    await countIngest(services, input.project, input.interactions.length, input.interactions)
    let outcomes = 0
    const jobs: string[] = []
    for (const chunk of chunks(input.interactions, now)) {
      const options = { project: input.project, caller: caller.id, admin: holds(caller, 'admin'), learn: input.learn }
      const result = await store(database, chunk, options, now)
      ids.push(...result.ids)
      jobs.push(...result.jobIds)
      imported += result.created.filter(Boolean).length
      outcomes += chunk.filter((entry, i) => result.created[i] && entry.outcome !== null).length
    }
    if (outcomes > 0) {
      const training = await noteOutcomes(database, input.project, outcomes, now)
      if (training) jobs.push(training)
    }
    for (let at = 0; at < jobs.length; at += 100)
      await services.enqueueJobs(jobs.slice(at, at + 100)).catch(() => undefined)
    const cut = input.learn ? input.interactions.flatMap((entry, i) => truncatedTurn(`interactions[${i}].`, entry)) : []
    return { interaction_ids: ids, imported, unchanged: ids.length - imported, ...viewTruncated(cut) }
  },
})

type Entry = z.output<typeof importInteractions.input>['interactions'][number]

/** Groups rows so that each group fits in one transaction. */
function* chunks(entries: readonly Entry[], now: number): Generator<ImportedInteraction[]> {
  let chunk: ImportedInteraction[] = []
  let size = 0
  for (const entry of entries) {
    // JSON of the row includes every text that is bound to the statement, including tags.
    const characters = JSON.stringify(entry).length
    if (chunk.length > 0 && size + characters > CHUNK_CHARACTERS) {
      yield chunk
      chunk = []
      size = 0
    }
    size += characters
    chunk.push({
      query: entry.query,
      response: entry.response,
      agentType: entry.agent_type,
      modelUsed: entry.model_used,
      tokensUsed: entry.tokens_used ?? 0,
      latencyMs: entry.latency_ms,
      tags: [...new Set(entry.tags)],
      variant: entry.variant ?? null,
      outcome: entry.outcome ?? null,
      userFeedback: entry.user_feedback ?? null,
      idempotencyKey: entry.idempotency_key ?? null,
      createdAt: entry.created_at ?? now,
    })
  }
  if (chunk.length > 0) yield chunk
}

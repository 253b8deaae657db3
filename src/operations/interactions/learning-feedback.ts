import * as z from 'zod'
import { textsOf } from '../../archive/read.ts'
import { insertCorrection } from '../../database/queries/corrections.ts'
import { findInteraction } from '../../database/queries/interactions.ts'
import { notFound } from '../../errors.ts'
import { runJob } from '../../jobs/run-job.ts'
import { contextId } from '../../knowledge/collections.ts'
import { itemText, line, MAX_ITEM_TEXT, optionalText } from '../../knowledge/text-fields.ts'
import { correctionItemId, FEEDBACK } from '../../outcomes/index-correction.ts'
import { idempotencyKey, project, tags, uuid } from '../fields.ts'
import { countWriting } from '../ingest-quota.ts'
import { ADDS, operation } from '../operation.ts'

/** Stores a correction and makes it searchable. */
export const learningFeedback = operation({
  name: 'learning_feedback',
  group: 'interactions',
  title: 'Correct an answer',
  description:
    'Store the right answer when somebody corrects an earlier one. From then on it is found for similar queries, and ' +
    'exported as the preferred answer.',
  scope: 'learn',
  annotations: ADDS,
  http: [{ method: 'POST', path: '/learning_feedback' }],
  input: z.strictObject({
    query: itemText.describe('The request or question that was answered wrongly.'),
    correction: itemText.describe('What the answer should have been.'),
    original_response: optionalText(MAX_ITEM_TEXT)
      .optional()
      .describe('The answer that is corrected. Not needed with an interaction_id.'),
    interaction_id: uuid.optional().describe('interaction_id of the answer that is corrected, if it was tracked.'),
    rating: z.number().min(-1).max(1).optional().describe('How good the original answer was, -1 to 1.'),
    tags: tags.default([]),
    model: line(200).optional().describe("Model that gave the original answer. Left out: the interaction's."),
    variant: line(100).optional().describe("Name of the variant under test. Left out: the interaction's."),
    project,
    idempotency_key: idempotencyKey.optional(),
  }),
  output: z.object({
    feedback_id: z.string(),
    status: z.enum(['recorded', 'unchanged']).describe('unchanged: this idempotency key was known already.'),
    index: z
      .enum(['indexed', 'pending'])
      .describe('indexed: the next search finds it. pending: stored, and becomes searchable in the background.'),
    context_id: z.string().describe('Under which it is retrieved.'),
  }),
  async run(services, input, caller) {
    const about = input.interaction_id
    const corrected = about === undefined ? null : await findInteraction(services.database, about, input.project)
    if (about !== undefined && !corrected) throw noInteraction()
    // The original answer is read from the interaction. The answer of an archived interaction is in R2.
    const archived = corrected !== null && corrected.archiveId !== null && !input.original_response
    const answer = archived ? (await textsOf(services, [corrected.id])).get(corrected.id)?.response : undefined
    await countWriting(services, input.project, 1, input)
    const stored = await insertCorrection(
      services.database,
      {
        project: input.project,
        interactionId: input.interaction_id ?? null,
        query: input.query,
        originalResponse: input.original_response || answer || null,
        correction: input.correction,
        rating: input.rating ?? null,
        tags: [...new Set(input.tags)],
        model: input.model ?? null,
        variant: input.variant ?? null,
        idempotencyKey: input.idempotency_key ?? null,
        caller: caller.id,
      },
      services.now(),
    )
    if (!stored) throw noInteraction()
    // The row and its job are stored: from here on, processing can be delayed but nothing can be lost.
    const run = stored.jobId ? await runJob(services, stored.jobId).catch(() => null) : null
    if (stored.jobId && run?.status !== 'done') await services.enqueueJobs([stored.jobId]).catch(() => undefined)
    const indexed = stored.jobId ? run?.status === 'done' : stored.jobStatus === null || stored.jobStatus === 'done'
    return {
      feedback_id: stored.id,
      status: stored.created ? ('recorded' as const) : ('unchanged' as const),
      index: indexed ? ('indexed' as const) : ('pending' as const),
      context_id: contextId(FEEDBACK, correctionItemId(input.project, stored.id)),
    }
  },
})

function noInteraction() {
  return notFound('interaction', 'interaction_id', 'Leave it out or use the id that track_interaction returned.')
}

import * as z from 'zod'
import { LOOKED_THROUGH, unansweredQuestions } from '../../database/queries/unanswered.ts'
import { limit, project, timestamp } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists questions that the stored knowledge doesn't answer. */
export const listUnanswered = operation({
  name: 'list_unanswered',
  group: 'context',
  title: 'List unanswered questions',
  description:
    `List the questions for which augment_query found nothing relevant, among the latest ${LOOKED_THROUGH} of a project: ` +
    'asked most often first. Add a note that answers one, and it is found from then on.',
  scope: 'read',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/unanswered' }],
  input: z.strictObject({ project, limit: limit(20) }),
  output: z.object({
    questions: z.array(
      z.object({
        query: z.string(),
        times: z.int().describe('How often it was asked in vain.'),
        last_asked_at: timestamp,
        retrieval_id: z.string().describe('Of the latest time.'),
      }),
    ),
  }),
  async run({ database }, input) {
    const rows = await unansweredQuestions(database, input.project, input.limit)
    return {
      questions: rows.map(({ query, times, lastAskedAt, retrievalId }) => ({
        query,
        times,
        last_asked_at: lastAskedAt,
        retrieval_id: retrievalId,
      })),
    }
  },
})

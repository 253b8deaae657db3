import * as z from 'zod'
import { findDeletion, requestDeletion } from '../../database/queries/deletions.ts'
import { ERASURE_START } from '../../erasure/erase.ts'
import { invalidInput, notFound } from '../../errors.ts'
import { runJob } from '../../jobs/run-job.ts'
import { line } from '../../knowledge/text-fields.ts'
import { conversationId, projectName } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'
import { deletionView, viewDeletion } from './deletion-views.ts'

/** Deletes all data of a project, a conversation or a key. */
export const deleteData = operation({
  name: 'delete_data',
  group: 'administration',
  title: 'Delete everything of a project, a conversation or a key',
  description:
    'Delete for good all that is stored of a project, a conversation, or what a key wrote and asked: database, knowledge stores, ' +
    'conversations, datasets with their files, and what was learnt from it. Begins at once, goes on in the background when there ' +
    'is much, and ends with a receipt (get_deletion). Asking again while it runs returns the same deletion.',
  scope: 'admin',
  annotations: REMOVES,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/data/delete' }],
  input: z.strictObject({
    what: z.enum(['project', 'conversation', 'key']),
    project: projectName
      .optional()
      .describe("Needed for a project and a conversation; of a key's data: only this project's, left out: all."),
    conversation_id: conversationId.optional(),
    key_id: line(200).optional().describe('From list_keys; `admin` is the key of HYBRID_API_KEY.'),
    confirm: line(200).describe('The name of the project, or the id of the conversation or key, once more.'),
  }),
  output: deletionView,
  async run(services, input, caller) {
    const project = input.project ?? caller.project
    const field = input.what === 'project' ? 'project' : input.what === 'conversation' ? 'conversation_id' : 'key_id'
    const subject = field === 'project' ? project : input[field]
    if (!subject) throw invalidInput(field, `${field} is missing.`, { hint: `Name the ${input.what} as ${field}.` })
    if (input.what === 'conversation' && !project) {
      throw invalidInput('project', 'project is missing.', { hint: 'Name the project that the conversation is in.' })
    }
    if (input.confirm !== subject) {
      throw invalidInput('confirm', `confirm must repeat ${field}.`, { hint: `Send the same text as ${field}.` })
    }
    const { id, jobId } = await requestDeletion(
      services.database,
      { what: input.what, project, subject, requestedBy: caller.id },
      ERASURE_START,
      services.now(),
    )
    // The row and the job are stored: the deletion will run even if this request fails.
    const run = await runJob(services, jobId).catch(() => null)
    if (run?.status !== 'done') await services.enqueueJobs([jobId]).catch(() => undefined)
    const deletion = await findDeletion(services.database, id, null)
    if (!deletion) throw notFound('deletion', 'deletion_id')
    return viewDeletion(deletion)
  },
})

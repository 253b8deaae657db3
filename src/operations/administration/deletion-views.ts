/**
 * The receipt of a deletion, as returned to callers.
 * @module
 */
import * as z from 'zod'
import type { Deletion } from '../../database/queries/deletions.ts'
import { timestamp } from '../fields.ts'

const counts = z.record(z.string(), z.int())

export const deletionView = z.object({
  deletion_id: z.string(),
  what: z.enum(['project', 'conversation', 'key']),
  project: z.string().nullable().describe('Null: all projects.'),
  subject: z.string().describe('Name of the project, or id of the conversation or key.'),
  status: z.enum(['running', 'done']),
  complete: z.boolean().describe('Done, and nothing was found afterwards.'),
  before: counts.nullable().describe('What there was, by kind, counted before.'),
  deleted: counts.describe('What was deleted, by kind.'),
  after: counts.nullable().describe('What there is, by kind, counted afterwards; zeros are the proof.'),
  requested_by: z.string().describe('Id of the key that asked.'),
  created_at: timestamp,
  finished_at: timestamp.nullable(),
})

export function viewDeletion(deletion: Deletion): z.output<typeof deletionView> {
  const { after } = deletion
  return {
    deletion_id: deletion.id,
    what: deletion.what,
    project: deletion.project,
    subject: deletion.subject,
    status: deletion.status,
    complete: deletion.status === 'done' && after !== null && Object.values(after).every((count) => count === 0),
    before: deletion.before,
    deleted: deletion.deleted,
    after,
    requested_by: deletion.requestedBy,
    created_at: deletion.createdAt,
    finished_at: deletion.finishedAt,
  }
}

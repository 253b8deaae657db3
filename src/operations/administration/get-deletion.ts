import * as z from 'zod'
import { findDeletion } from '../../database/queries/deletions.ts'
import { notFound } from '../../errors.ts'
import { uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { deletionView, viewDeletion } from './deletion-views.ts'

/** Returns the receipt of a deletion. */
export const getDeletion = operation({
  name: 'get_deletion',
  group: 'administration',
  title: 'Read the receipt of a deletion',
  description:
    'How far a deletion has come; when it is done, what there was before, what was deleted, and what is left.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/data/deletions/{deletion_id}' }],
  input: z.strictObject({ deletion_id: uuid.describe('From delete_data.') }),
  output: deletionView,
  async run({ database }, input, caller) {
    const deletion = await findDeletion(database, input.deletion_id, caller.project)
    if (!deletion) throw notFound('deletion', 'deletion_id')
    return viewDeletion(deletion)
  },
})

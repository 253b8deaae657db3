import * as z from 'zod'
import { revokeKey as revoke } from '../../database/queries/keys.ts'
import { notFound } from '../../errors.ts'
import { uuid } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'
import { keyView, viewKey } from './key-views.ts'

/** Revokes a key immediately and permanently. */
export const revokeKey = operation({
  name: 'revoke_key',
  group: 'administration',
  title: 'Revoke an API key',
  description: 'End an API key at once and for good. The key of HYBRID_API_KEY is changed with wrangler instead.',
  scope: 'admin',
  annotations: REMOVES,
  offeredTo: 'rest',
  http: [{ method: 'DELETE', path: '/keys/{key_id}' }],
  input: z.strictObject({ key_id: uuid.describe('From create_key or list_keys.') }),
  output: keyView,
  async run({ database, now }, input, caller) {
    const at = now()
    const row = await revoke(database, input.key_id, caller.project, at)
    if (!row) throw notFound('key', 'key_id', 'list_keys names them all.')
    return viewKey(row, at)
  },
})

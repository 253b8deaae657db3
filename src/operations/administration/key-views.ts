/**
 * Keys as returned to callers: never the key itself, never its digest.
 * @module
 */
import * as z from 'zod'
import type { KeyRow } from '../../database/queries/keys.ts'
import { timestamp } from '../fields.ts'

export const scope = z.enum(['read', 'write', 'learn', 'admin'])

export const keyView = z.object({
  key_id: z.string(),
  prefix: z.string().describe('First characters of the key, to recognise it by.'),
  name: z.string(),
  scopes: z.array(scope),
  project: z.string().nullable().describe('The only project that it opens; null: all.'),
  state: z.enum(['active', 'expired', 'revoked']),
  expires_at: timestamp.nullable(),
  last_used_at: timestamp.nullable().describe('True to the minute; null: never used.'),
  revoked_at: timestamp.nullable(),
  created_by: z.string().describe('Id of the key that made it.'),
  created_at: timestamp,
})

/** The public fields of a key. */
export function viewKey(row: KeyRow, now: number): z.output<typeof keyView> {
  const expired = row.expiresAt !== null && row.expiresAt <= now
  return {
    key_id: row.id,
    prefix: row.prefix,
    name: row.name,
    scopes: row.scopes,
    project: row.project,
    state: row.revokedAt !== null ? 'revoked' : expired ? 'expired' : 'active',
    expires_at: row.expiresAt,
    last_used_at: row.lastUsedAt,
    revoked_at: row.revokedAt,
    created_by: row.createdBy,
    created_at: row.createdAt,
  }
}

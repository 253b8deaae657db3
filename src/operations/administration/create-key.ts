import * as z from 'zod'
import { insertKey } from '../../database/queries/keys.ts'
import { toHex } from '../../encoding.ts'
import { CoordinatorError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { line } from '../../knowledge/text-fields.ts'
import { digestOf, newApiKey, prefixOf } from '../../security/api-key.ts'
import { DAY_MS } from '../../time.ts'
import { projectName } from '../fields.ts'
import { holds } from '../invoke.ts'
import { ADDS, operation } from '../operation.ts'
import { keyView, scope, viewKey } from './key-views.ts'

/** Creates a key. The key is returned only once, in this answer. */
export const createKey = operation({
  name: 'create_key',
  group: 'administration',
  title: 'Create an API key',
  description:
    'Make an API key with chosen scopes, for one project or all. The key is in this answer and never shown again.',
  scope: 'admin',
  annotations: ADDS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/keys' }],
  input: z.strictObject({
    name: line(100).describe('What the key is for.'),
    scopes: z
      .array(scope)
      .min(1)
      .max(4)
      .default(['read'])
      .describe('read: search and read. write: store. learn: outcomes, corrections, datasets. admin: all, and keys.'),
    project: projectName
      .nullable()
      .default(null)
      .describe('The only project that it opens; null: all, if the key that makes it may.'),
    expires_in_days: z.number().min(0.001).max(3650).optional().describe('Left out: it does not expire.'),
  }),
  output: z.object({ key: z.string().describe('Keep it now: only its digest is stored.'), ...keyView.shape }),
  async run({ database, now }, input, caller) {
    const project = input.project ?? caller.project
    const lacking = input.scopes.find((wanted) => !holds(caller, wanted))
    if (lacking !== undefined || (caller.project !== null && project !== caller.project)) {
      throw new CoordinatorError('forbidden', 'A key cannot create a key with more rights than its own.', {
        field: lacking === undefined ? 'project' : 'scopes',
        hint: 'Use a key that has these scopes for this project.',
      })
    }
    const key = newApiKey()
    const at = now()
    const row = {
      id: newId(),
      hash: toHex(await digestOf(key)),
      prefix: prefixOf(key),
      name: input.name,
      scopes: [...new Set(input.scopes)],
      project,
      expiresAt: input.expires_in_days === undefined ? null : Math.round(at + input.expires_in_days * DAY_MS),
      lastUsedAt: null,
      revokedAt: null,
      createdBy: caller.id,
      createdAt: at,
    }
    await insertKey(database, row)
    return { key, ...viewKey(row, at) }
  },
})

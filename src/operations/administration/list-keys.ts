import * as z from 'zod'
import { listKeys as list } from '../../database/queries/keys.ts'
import { cursor, limit, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { keyView, viewKey } from './key-views.ts'

/** Lists all keys that the caller may manage, newest first. */
export const listKeys = operation({
  name: 'list_keys',
  group: 'administration',
  title: 'List API keys',
  description:
    'List API keys with their scopes, project, expiry and last use, newest first; never the keys themselves.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/keys' }],
  input: z.strictObject({ limit: limit(50), cursor: cursor.pipe(uuid).optional() }),
  output: z.object({ keys: z.array(keyView), next_cursor: z.string().nullable() }),
  async run({ database, now }, input, caller) {
    const rows = await list(database, caller.project, input.cursor ?? null, input.limit)
    const page = rows.slice(0, input.limit)
    return {
      keys: page.map((row) => viewKey(row, now())),
      next_cursor: rows.length > input.limit ? (page.at(-1)?.id ?? null) : null,
    }
  },
})

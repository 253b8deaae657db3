import * as z from 'zod'
import { listActs } from '../../database/queries/audit.ts'
import { cursor, limit, timestamp, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists administrative actions, newest first. */
export const listAuditLog = operation({
  name: 'list_audit_log',
  group: 'administration',
  title: 'List administrative acts',
  description: 'List which key did which administrative act or deletion, when, and how it ended; newest first.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/audit' }],
  input: z.strictObject({ limit: limit(50), cursor: cursor.pipe(uuid).optional() }),
  output: z.object({
    acts: z.array(
      z.object({
        act_id: z.string(),
        caller: z.string().describe('Id of the key that acted.'),
        operation: z.string(),
        project: z.string().nullable(),
        input: z.record(z.string(), z.unknown()),
        outcome: z.string().describe('done, the code of the error it ended with, or started: it was cut off.'),
        created_at: timestamp,
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  async run({ database }, input, caller) {
    const rows = await listActs(database, caller.project, input.cursor ?? null, input.limit)
    const page = rows.slice(0, input.limit)
    return {
      acts: page.map(({ id, createdAt, ...act }) => ({ act_id: id, ...act, created_at: createdAt })),
      next_cursor: rows.length > input.limit ? (page.at(-1)?.id ?? null) : null,
    }
  },
})

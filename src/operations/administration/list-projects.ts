import * as z from 'zod'
import { listProjects as list } from '../../database/queries/projects.ts'
import { cursor, limit } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists the projects that the caller can choose from. */
export const listProjects = operation({
  name: 'list_projects',
  group: 'administration',
  title: 'List projects',
  description:
    'List the projects that hold knowledge or interactions, by name, with what they hold. A caller that is bound to a project sees ' +
    'that one alone.',
  scope: 'read',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/projects' }],
  input: z.strictObject({ limit: limit(100, 1000), cursor: cursor.optional() }),
  output: z.object({
    projects: z.array(
      z.object({
        project: z.string(),
        documents: z.int().describe('Ingested documents and notes.'),
        interactions: z.int(),
        augmentations: z.int().describe('Prompts that asked for context.'),
        last_active_at: z
          .number()
          .nullable()
          .describe('Milliseconds since 1970: of the latest writing, or the day of the latest use.'),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  async run({ database }, input, caller) {
    const found = await list(database, caller.project, input.cursor ?? '', input.limit + 1)
    const page = found.slice(0, input.limit)
    return {
      projects: page.map(({ lastActiveAt, ...entry }) => ({ ...entry, last_active_at: lastActiveAt })),
      next_cursor: found.length > input.limit ? (page.at(-1)?.project ?? null) : null,
    }
  },
})

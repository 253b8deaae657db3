import * as z from 'zod'
import { collectionName, cursor, limit, project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Lists items that a client must embed for the server. */
export const listPendingVectors = operation({
  name: 'list_pending_vectors',
  group: 'knowledge',
  title: 'List texts that wait for a vector',
  description:
    'For clients that compute vectors themselves, as `npm run ingest` does: the texts of a collection that have not been embedded ' +
    'in the space in use. For a minute after each call the server leaves the collection to the client.',
  scope: 'write',
  annotations: SETS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/knowledge/vectors/pending' }],
  input: z.strictObject({
    project,
    collection: collectionName.default('codebase-context'),
    limit: limit(100, 200),
    cursor: cursor.optional(),
  }),
  output: z.object({
    space: z.string().describe('Embedding space in use.'),
    dimensions: z.int(),
    by: z
      .enum(['client', 'server'])
      .describe('server: it alone computes vectors of this space, and there is nothing to do.'),
    items: z.array(z.object({ id: z.string(), hash: z.string(), text: z.string().describe('What is embedded.') })),
    next_cursor: z.string().nullable(),
  }),
  async run(services, input) {
    const { space, by, items, nextCursor } = (await services.knowledge.vectorWork?.(input, input)) ?? {
      space: services.embedder.space,
      by: 'server' as const,
      items: [],
      nextCursor: null,
    }
    return { space: space.name, dimensions: space.dimensions, by, items: [...items], next_cursor: nextCursor }
  },
})

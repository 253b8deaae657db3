import * as z from 'zod'
import { collectionName, limit, project, sourceName } from '../fields.ts'
import { operation, READS } from '../operation.ts'

export const listDocuments = operation({
  name: 'list_documents',
  group: 'knowledge',
  title: 'List ingested documents',
  description: 'List the documents of a source with the hash each was ingested with and its number of items.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/knowledge/documents' }],
  input: z.strictObject({
    project,
    collection: collectionName.default('codebase-context'),
    source: sourceName,
    limit: limit(100, 1000),
    cursor: z.string().max(1000).optional().describe('next_cursor of the previous page.'),
  }),
  output: z.object({
    documents: z.array(z.object({ path: z.string(), hash: z.string(), items: z.int() })),
    next_cursor: z.string().nullable(),
  }),
  async run(services, input) {
    const page = await services.knowledge.listDocuments(input, input.source, input)
    return { documents: page.entries, next_cursor: page.nextCursor }
  },
})

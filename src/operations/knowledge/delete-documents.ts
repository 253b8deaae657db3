import * as z from 'zod'
import { forgetWriters } from '../../database/queries/deletions.ts'
import { line } from '../../knowledge/text-fields.ts'
import { collectionName, project, sourceName } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'

export const deleteDocuments = operation({
  name: 'delete_documents',
  group: 'knowledge',
  title: 'Delete ingested documents',
  description: 'Delete documents of a source with all their items. Unknown paths are ignored.',
  scope: 'write',
  annotations: REMOVES,
  http: [{ method: 'POST', path: '/knowledge/documents/delete' }],
  input: z.strictObject({
    project,
    collection: collectionName.default('codebase-context'),
    source: sourceName,
    paths: z.array(line(1000)).min(1).max(1000).describe('Paths of the documents within the source.'),
  }),
  output: z.object({ documents: z.int().describe('Deleted documents.'), items: z.int().describe('Deleted items.') }),
  async run(services, input) {
    const deleted = await services.knowledge.deleteDocuments(input, input.source, input.paths)
    await forgetWriters(services.database, input, input.source, input.paths)
    return deleted
  },
})

import * as z from 'zod'
import { listSources as list } from '../../database/queries/deletions.ts'
import { collectionName, cursor, limit, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Parts of a cursor: the collection and the name of the last source on the previous page. */
const AFTER = /^([a-z-]*)\/([\s\S]*)$/

export const listSources = operation({
  name: 'list_sources',
  group: 'knowledge',
  title: 'List sources',
  description: 'List the sources of ingested documents, with the number of documents and the time of the last write.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/knowledge/sources' }],
  input: z.strictObject({ project, limit: limit(100, 1000), cursor: cursor.regex(AFTER).optional() }),
  output: z.object({
    sources: z.array(
      z.object({
        source: z.string(),
        collection: collectionName,
        documents: z.int(),
        written_at: z.number().nullable().describe('Milliseconds since 1970; null: before this was noted.'),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  async run(services, input) {
    const [, collection = '', source = ''] = AFTER.exec(input.cursor ?? '') ?? []
    const found = await list(services.database, input.project, { source, collection }, input.limit + 1)
    const page = found.slice(0, input.limit)
    const last = found.length > input.limit ? page.at(-1) : undefined
    return {
      sources: page.map((entry) => ({
        source: entry.source,
        collection: collectionName.parse(entry.collection),
        documents: entry.documents,
        written_at: entry.writtenAt,
      })),
      next_cursor: last ? `${last.collection}/${last.source}` : null,
    }
  },
})

import * as z from 'zod'
import { COLLECTION_NAMES, COLLECTIONS } from '../../knowledge/collections.ts'
import { collectionName, project } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { pendingVectors } from './knowledge-views.ts'

export const listCollections = operation({
  name: 'list_collections',
  group: 'knowledge',
  title: 'List collections',
  description: 'List the collections with their fields and the number of items that each holds in a project.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/collections' }],
  input: z.strictObject({ project }),
  output: z.object({
    collections: z.array(
      z.object({
        name: collectionName,
        description: z.string(),
        fields: z.array(z.object({ name: z.string(), required: z.boolean() })),
        items: z.int(),
        documents: z.int(),
        with_vector: z.int(),
        pending_vectors: pendingVectors,
        embedding_space: z.string().nullable(),
      }),
    ),
  }),
  async run(services, input) {
    const collections = await Promise.all(
      COLLECTION_NAMES.map(async (name) => {
        const { description, schema } = COLLECTIONS[name]
        const statistics = await services.knowledge.statistics({ project: input.project, collection: name })
        return {
          name,
          description,
          fields: Object.entries(schema.shape).map(([field, type]) => ({
            name: field,
            required: !(type instanceof z.ZodOptional),
          })),
          items: statistics.items,
          documents: statistics.documents,
          with_vector: statistics.withVector,
          pending_vectors: statistics.pending,
          embedding_space: statistics.space?.name ?? null,
        }
      }),
    )
    return { collections }
  },
})

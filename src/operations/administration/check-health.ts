import * as z from 'zod'
import { observe } from '../../inference/engine/dependency.ts'
import { operation, READS } from '../operation.ts'

export const checkHealth = operation({
  name: 'check_health',
  group: 'administration',
  title: 'Check health',
  description:
    'Check whether the coordinator runs and its database answers, and list the engines in use. Calls no model.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/health' }],
  input: z.strictObject({}),
  output: z.object({
    status: z.enum(['ok', 'degraded']),
    dependencies: z.object({
      database: z.enum(['ok', 'down']),
      knowledge_store: z.string().describe('Which store is in use.'),
      embedder: z.string().describe('Name of the embedding space.'),
      local_model: z.string().nullable().describe('Null: none is configured.'),
    }),
  }),
  async run(services) {
    const asked = (services.dependencies ?? []).filter(({ name }) => name === 'database')
    const [seen] = await observe(asked, services.now)
    const database = seen?.state === 'down' ? ('down' as const) : ('ok' as const)
    return {
      status: database === 'ok' ? ('ok' as const) : ('degraded' as const),
      dependencies: {
        database,
        knowledge_store: services.knowledge.name,
        embedder: services.embedder.space.name,
        local_model: services.localModel?.name ?? null,
      },
    }
  },
})

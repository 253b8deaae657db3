import * as z from 'zod'
import { EMBED_COLLECTION } from '../../database/queries/embedding.ts'
import { openSubjects, queueState } from '../../database/queries/jobs.ts'
import { observe } from '../../inference/engine/dependency.ts'
import { COLLECTION_NAMES } from '../../knowledge/collections.ts'
import type { Services } from '../../services.ts'
import { operation, READS } from '../operation.ts'

/** Maximum number of collections being re-embedded that the answer lists. */
const SHOWN = 10

const reembedding = z.object({
  project: z.string(),
  collection: z.string(),
  serves: z.string().nullable().describe('Embedding space that is searched meanwhile; null: none, words only.'),
  target: z.string().describe('Space that it moves to.'),
  items: z.int(),
  pending_vectors: z.int().describe('Items that still wait for their vector of the target space.'),
})

/** Reports whether the coordinator can serve requests, and the state of every dependency. */
export const checkReadiness = operation({
  name: 'check_readiness',
  group: 'administration',
  title: 'Check readiness',
  description:
    'Check whether requests can be served: the state, circuit breaker and last failure of each dependency, the queue, and ' +
    'collections whose items wait for vectors. Calls no model.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/ready', available: 'ready' }],
  input: z.strictObject({}),
  output: z.object({
    ready: z.boolean().describe('false: a dependency is down that nothing works without; REST answers 503.'),
    status: z.enum(['ok', 'degraded', 'down']).describe('degraded: it serves, with something left out.'),
    dependencies: z.array(
      z.object({
        name: z.string(),
        uses: z.string().describe('Which one is configured.'),
        required: z.boolean().describe('Whether nothing works without it.'),
        state: z.enum(['ok', 'degraded', 'loading', 'down']),
        error: z.string().nullable(),
        breaker: z.enum(['closed', 'open', 'half-open']).nullable().describe('Null: it has none.'),
        last_failure: z.string().nullable().describe('How the last call here failed; null: it did not.'),
        latency_ms: z.number(),
        age_ms: z.number().describe('How long ago it was asked.'),
      }),
    ),
    not_configured: z.array(z.string()).describe('Optional dependencies that no setting names.'),
    queue: z
      .object({
        pending: z.int(),
        running: z.int(),
        dead: z.int().describe('Jobs that ran out of attempts.'),
        oldest_ms: z.number().nullable().describe('Age of the longest waiting job.'),
      })
      .nullable()
      .describe('Null: the database does not answer.'),
    embedding_space: z.string().describe('Space of the embedder in use.'),
    reembedding: z
      .array(reembedding)
      .describe('Collections whose items are being embedded in the space in use, at most 10.'),
  }),
  async run(services, _, caller) {
    const { database, now } = services
    const [seen, queue, moving] = await Promise.all([
      observe(services.dependencies ?? [], now),
      queueState(database, caller.project).catch(() => null),
      movingCollections(services, caller.project).catch(() => []),
    ])
    const ready = seen.every(({ required, state }) => !required || state === 'ok' || state === 'degraded')
    const whole = seen.every(({ state }) => state === 'ok') && (queue?.dead ?? 0) === 0
    return {
      ready,
      status: !ready ? ('down' as const) : whole ? ('ok' as const) : ('degraded' as const),
      dependencies: seen.map((entry) => ({
        name: entry.name,
        uses: entry.uses,
        required: entry.required,
        state: entry.state,
        error: entry.error,
        breaker: entry.breaker,
        last_failure: entry.lastFailure,
        latency_ms: entry.latencyMs,
        age_ms: Math.max(0, now() - entry.seenAt),
      })),
      not_configured: OPTIONAL.filter((name) => !seen.some((entry) => entry.name === name)),
      queue: queue && {
        pending: queue.pending,
        running: queue.running,
        dead: queue.dead,
        oldest_ms: queue.oldestAt === null ? null : Math.max(0, now() - queue.oldestAt),
      },
      embedding_space: services.embedder.space.name,
      reembedding: moving,
    }
  },
})

const OPTIONAL = ['local_model', 'embedder', 'reranker', 'remote_model', 'aidb']

async function movingCollections(services: Services, project: string | null): Promise<z.input<typeof reembedding>[]> {
  const subjects = await openSubjects(services.database, EMBED_COLLECTION, project, SHOWN)
  const shown = await Promise.all(
    subjects.map(async (subject) => {
      const [owner, name] = JSON.parse(subject) as [string, string]
      const collection = COLLECTION_NAMES.find((known) => known === name)
      if (!collection) return []
      const { items, space, pending } = await services.knowledge.statistics({ project: owner, collection })
      const target = services.embedder.space.name
      // In a space that is not searched yet, the vectors are not counted: report all items as pending.
      const pending_vectors = space?.name === target ? pending : items
      return [{ project: owner, collection, serves: space?.name ?? null, target, items, pending_vectors }]
    }),
  )
  return shown.flat()
}

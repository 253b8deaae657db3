import * as z from 'zod'
import { routerStatus } from '../../database/queries/routing.ts'
import { queryText } from '../../knowledge/text-fields.ts'
import { estimateAll } from '../../routing/trained-router.ts'
import { project, timestamp } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { estimateView, gainView, routerVersion } from './routing-views.ts'

/** Maximum number of queries that one call estimates. */
const MAX_QUERIES = 500

/** Returns the router's estimates for both models, without searching, answering or recording anything. */
export const estimateRouting = operation({
  name: 'estimate_routing',
  group: 'routing',
  title: 'Estimate who would succeed',
  description:
    'Estimate for each query how likely the local and the remote model are to succeed, from the outcomes of earlier ' +
    'interactions, with 90 % intervals. route_query decides by the same estimates. Records nothing.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'POST', path: '/routing/estimate' }],
  input: z.strictObject({
    project,
    queries: z.array(queryText).min(1).max(MAX_QUERIES).describe('Queries to estimate.'),
  }),
  output: z.object({
    estimates: z
      .array(z.object({ local: estimateView, remote: estimateView, gain: gainView }))
      .describe('One for each query, in order.'),
    router: z.object({
      version: routerVersion,
      examples: z.int().describe('Interactions that it was learnt from.'),
      pending: z.int().describe('Outcomes that it has not learnt from yet.'),
      trained_at: timestamp.nullable(),
    }),
  }),
  async run(services, input) {
    const [{ version, estimates }, status] = await Promise.all([
      estimateAll(services, input.project, input.queries),
      routerStatus(services.database, input.project),
    ])
    return {
      estimates,
      router: {
        version,
        examples: status?.examples ?? 0,
        pending: status?.pending ?? 0,
        trained_at: status?.trainedAt ?? null,
      },
    }
  },
})

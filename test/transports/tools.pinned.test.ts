import { expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { openApiDocument } from '../../src/transports/openapi.ts'

/** Tools that users of hybrid coordinators call; their scripts must keep working. */
const TOOLS = [
  'augment_query',
  'track_interaction',
  'update_outcome',
  'hybrid_search',
  'route_query',
  'learning_feedback',
  'generate_training_data',
  'search_context',
]
const ROUTES = [
  'POST /augment_query',
  'POST /query',
  'POST /track_interaction',
  'POST /update_outcome',
  'POST /hybrid_search',
  'POST /search_context',
  'POST /feedback',
  'POST /feedback/{interaction_id}',
  'POST /context/multi_turn',
  'GET /session/{session_id}',
  'DELETE /session/{session_id}',
  'POST /learning/export',
  'POST /learning/process',
  'POST /learning/ab_compare',
  'GET /learning/stats',
  'GET /stats',
  'GET /health',
  'GET /metrics',
  'GET /learning/datasets/{dataset_id}/download',
]

test('the tools and routes that users expect exist', () => {
  expect(OPERATIONS.map(({ name }) => name)).toEqual(expect.arrayContaining(TOOLS))
  const { paths } = openApiDocument(OPERATIONS)
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes).toEqual(expect.arrayContaining(ROUTES))
})

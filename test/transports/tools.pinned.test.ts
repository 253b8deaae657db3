import { expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { toolOf, toolsOf } from '../../src/transports/mcp/endpoint.ts'
import { openApiDocument } from '../../src/transports/openapi.ts'

/** A change of the tools is a change for every agent that uses them: accept it with `npm test -- -u tools.pinned`. */
test('the tools and their schemas are those of tools.json', async () => {
  await expect(`${JSON.stringify(toolsOf(OPERATIONS).map(toolOf), null, 2)}\n`).toMatchFileSnapshot('./tools.json')
})

test('tools have a title, a description that says when to use them, and described fields', () => {
  for (const tool of toolsOf(OPERATIONS).map(toolOf)) {
    expect(tool.name).toMatch(/^[a-z][a-z_]{2,63}$/)
    expect(tool.title).toBeTruthy()
    expect(tool.description?.length, tool.name).toBeGreaterThan(20)
    expect(tool.annotations).toMatchObject({ readOnlyHint: expect.any(Boolean) })
  }
})

/** What users of hybrid coordinators call; their scripts have to go on working. */
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

test('the tools and routes that users expect are there', () => {
  expect(OPERATIONS.map(({ name }) => name)).toEqual(expect.arrayContaining(TOOLS))
  const { paths } = openApiDocument(OPERATIONS)
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes).toEqual(expect.arrayContaining(ROUTES))
})

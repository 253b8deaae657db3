import { beforeAll, describe, expect, test } from 'vitest'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { prepare } from './samples.ts'
import { fetchWorker } from './worker-client.ts'

/**
 * An agent that was connected without a project uses `default`, while the knowledge is in the project of the ingestion.
 */

let client: TestClient
const query = 'How do we rotate the signing keys of the release pipeline?'

beforeAll(async () => {
  client = await connect(CLIENTS[2], fetchWorker)
  await prepare('my-project')
})

const noteOf = async (from: TestClient, name: string, input: Record<string, unknown>) =>
  ((await from.call(name, input)).structuredContent as { note?: string }).note

describe.each([
  ['augment_query', { query }],
  ['hybrid_search', { query }],
  ['route_query', { query }],
  ['search_context', { query, collection: 'best-practices' }],
  ['multi_turn_context', { query }],
])('%s', (name, input) => {
  test('lists the projects with content if its own is empty', async () => {
    const note = await noteOf(client, name, input)
    expect(note).toContain('"default" holds no knowledge')
    expect(note).toContain('my-project')
  })

  test('does not mention projects if there is knowledge, relevant or not', async () => {
    expect(await noteOf(client, name, { ...input, project: 'my-project' })).toBeUndefined()
    expect(await noteOf(client, name, { ...input, query: 'zxqv', project: 'my-project' })).toBeUndefined()
  })

  test('tells a bound connection only about its own project', async () => {
    const bound = await connect(CLIENTS[2], fetchWorker, {}, '/mcp/nothing-here')
    const note = await noteOf(bound, name, input)
    expect(note).toContain('"nothing-here" holds no knowledge')
    expect(note).not.toContain('my-project')
    await bound.close()
  })
})

/** The stream that reports the progress of background work. */
import { env } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { fetchWorker } from './worker-client.ts'

const ask = (path: string) => fetchWorker(new Request(`http://localhost${path}`))
const call = async (path: string, body: object) =>
  (
    await fetchWorker(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  ).json()

/** The data of each event. */
async function dataOf(response: Response): Promise<{ jobs: Record<string, number>; items: number }[]> {
  const text = await response.text()
  return text.split('\n\n').flatMap((block) => (block.startsWith('data: ') ? [JSON.parse(block.slice(6))] : []))
}

test('ends immediately if there is no work', async () => {
  const response = await ask('/learning/progress?project=idle')
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(await dataOf(response)).toEqual([{ jobs: {}, items: 0, with_vector: 0 }])
})

test('reports pending work, and ends when it is done', async () => {
  await call('/track_interaction', {
    project: 'busy',
    query: 'q',
    response: 'r',
    agent_type: 'remote',
    model_used: 'm',
  })
  const response = await ask('/learning/progress?project=busy')
  const reading = dataOf(response)
  await env.DB.prepare("UPDATE jobs SET status = 'done' WHERE project = 'busy'").run()
  const seen = await reading
  expect(seen.length).toBeGreaterThan(0)
  expect(seen.at(-1)?.jobs).toEqual({})
})

test('rejects an invalid project, by name', async () => {
  const response = await ask('/learning/progress?project=a%20b')
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ field: 'project' })
})

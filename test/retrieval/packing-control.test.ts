import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { augment } from '../../src/retrieval/augment.ts'

const caller = { id: 'tester', scopes: ['admin' as const], project: null }

async function stored(project: string) {
  await storeKnowledge.run(
    buildServices(env),
    {
      project,
      collection: 'best-practices',
      items: [{ key: 'a', fields: { title: 'Signing cookies', description: 'Cookies are signed with HMAC.' } }],
    },
    caller,
  )
  return { operation: 'augment_query', project, query: 'How are cookies signed?', scoreThreshold: 0, tokenBudget: 500 }
}

it('a sampled share of augmentations gets no context, reports it, and is logged with its probability', async () => {
  const request = await stored('control')
  const draw = (value: number) => ({ ...buildServices({ ...env, CONTROL_GROUP_SHARE: '0.25' }), random: () => value })
  const withheld = await augment(draw(0.2), request)
  expect(withheld).toMatchObject({ absence: 'control_group', prompt: request.query, tokens: 0, contextIds: [] })
  const shown = await augment(draw(0.3), request)
  expect(shown.absence).toBeNull()
  expect(shown.prompt).toContain('HMAC')
  const { results } = await env.DB.prepare(
    "SELECT control, control_share, shown FROM retrievals WHERE project = 'control' ORDER BY id",
  ).all()
  expect(results.map(({ control, control_share }) => [control, control_share])).toEqual([
    [1, 0.25],
    [0, 0.25],
  ])
  expect(results[0]?.shown).toBe('[]')
})

it('without relevant context there is nothing to withhold', async () => {
  const request = await stored('ineligible')
  const services = { ...buildServices({ ...env, CONTROL_GROUP_SHARE: '1' }), random: () => 0 }
  const { absence } = await augment(services, { ...request, tokenBudget: 0 })
  expect(absence).toBe('budget')
  const row = await env.DB.prepare("SELECT control, control_share FROM retrievals WHERE project = 'ineligible'").first()
  expect(row).toEqual({ control: 0, control_share: 0 })
})

it('if a conversation is unavailable, context may be repeated, but the answer succeeds', async () => {
  const request = await stored('unreachable')
  const services = buildServices(env)
  const down = () => Promise.reject(new Error('The object is being moved.'))
  const conversations = Object.assign(Object.create(services.conversations), { recall: down, addTurn: down })
  const result = await augment({ ...services, conversations }, { ...request, conversationId: 'c' })
  expect(result.prompt).toContain('HMAC')
  expect(result.degraded).toEqual(['conversation'])
  expect(result.turnNumber).toBeNull()
})

import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { getKnowledge } from '../../src/operations/knowledge/get-knowledge.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { augment } from '../../src/retrieval/augment.ts'
import { drawHoldOut, NO_HOLD_OUT, shownProbability } from '../../src/retrieval/hold-out.ts'

const caller = { id: 'tester', scopes: ['admin' as const], project: null }

describe('the draw', () => {
  it('leaves out each selected item equally often, and any item in the stated share', () => {
    const share = 0.05
    const draws = 100_000
    const counts = new Map<string | null, number>()
    for (let i = 0; i < draws; i++) {
      const { heldOut } = drawHoldOut(['a', 'b', 'c', 'd'], share, i / draws)
      counts.set(heldOut, (counts.get(heldOut) ?? 0) + 1)
    }
    for (const id of ['a', 'b', 'c', 'd']) expect(counts.get(id)).toBeCloseTo((share * draws) / 4, -1)
    expect(counts.get(null)).toBeCloseTo((1 - share) * draws, -1)
  })

  it('never empties an augmentation, and is off at 0', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (draw) => {
        expect(drawHoldOut([], 1, draw)).toEqual(NO_HOLD_OUT)
        expect(drawHoldOut(['only'], 1, draw)).toEqual(NO_HOLD_OUT)
        expect(drawHoldOut(['a', 'b'], 0, draw)).toEqual(NO_HOLD_OUT)
        expect(['a', 'b']).toContain(drawHoldOut(['a', 'b'], 1, draw).heldOut)
      }),
    )
  })

  it('computes the odds between all shown and one left out', () => {
    expect(shownProbability(0.05, 5)).toBeCloseTo(0.95 / 0.96, 12)
    expect(shownProbability(0.5, 2)).toBeCloseTo(2 / 3, 12)
    expect(shownProbability(1, 2)).toBe(0)
  })
})

async function stored(project: string) {
  const items = ['HMAC', 'SHA-256', 'a salt'].map((way) => ({
    key: way,
    fields: {
      title: `Signing cookies with ${way}`,
      description: `Cookies are signed with ${way} and checked by ${way}.`,
    },
  }))
  await storeKnowledge.run(buildServices(env), { project, collection: 'best-practices', items }, caller)
  return { operation: 'augment_query', project, query: 'How are cookies signed?', scoreThreshold: 0, tokenBudget: 2000 }
}

/** Services that leave something out with the given probability, and draw the given number. */
const drawing = (share: string, value: number) => ({
  ...buildServices({ ...env, HOLD_OUT_SHARE: share, EXPERIMENTS_FROM_OUTCOMES: '0' }),
  random: () => value,
})

it('the item left out is neither shown nor suggested, and is logged with its probability', async () => {
  const request = await stored('hold-out')
  const all = await augment(drawing('0.1', 0.9), request)
  const without = await augment(drawing('0.1', 0), request)
  expect(all.contextIds.length).toBeGreaterThan(1)
  const [first] = all.contextIds
  expect(without.contextIds).not.toContain(first)
  expect(without.contextIds.length).toBeGreaterThan(0)
  expect(without.suggestions).not.toContain(all.packed[0]?.item.title)
  const { results } = await env.DB.prepare(
    "SELECT held_out, hold_out_share, hold_out_items FROM retrievals WHERE project = 'hold-out' ORDER BY id",
  ).all()
  const drawn = { hold_out_share: 0.1, hold_out_items: all.contextIds.length }
  expect(results).toEqual([
    { held_out: null, ...drawn },
    { held_out: first, ...drawn },
  ])
})

it('0 turns it off', async () => {
  const request = await stored('hold-out-off')
  const { contextIds } = await augment(drawing('0', 0), request)
  expect(contextIds.length).toBeGreaterThan(1)
  const row = await env.DB.prepare(
    "SELECT held_out, hold_out_share FROM retrievals WHERE project = 'hold-out-off'",
  ).first()
  expect(row).toEqual({ held_out: null, hold_out_share: 0 })
})

it('a helpful item has a positive uplift with its interval, and one never left out has none', async () => {
  const project = 'hold-out-uplift'
  const request = await stored(project)
  let helper: string | undefined
  for (let i = 0; i < 16; i++) {
    const left = i % 2 === 1
    const services = drawing('0.5', left ? 0 : 0.9)
    const { contextIds, retrievalId } = await augment(services, request)
    helper ??= contextIds[0]
    const { interaction_id } = await trackInteraction.run(
      services,
      trackInteraction.input.parse({
        project,
        query: request.query,
        response: 'So.',
        agent_type: 'remote',
        model_used: 'm',
        context_ids: contextIds,
        retrieval_id: retrievalId,
      }),
      caller,
    )
    await updateOutcome.run(services, { interaction_id, outcome: left ? 'failure' : 'success' }, caller)
  }
  const [collection, id = ''] = (helper ?? '').split('/')
  expect(collection).toBe('best-practices')
  const services = buildServices(env)
  const { uplift } = await getKnowledge.run(services, { project, collection: 'best-practices', id }, caller)
  expect(uplift).toMatchObject({ shown: 8, held_out: 8, difference: 1 })
  expect(uplift.interval?.low).toBeGreaterThan(0.3)
  const other = (await augment(drawing('0', 0), request)).contextIds.find((found) => found !== helper)
  const never = await getKnowledge.run(
    services,
    { project, collection: 'best-practices', id: other?.split('/')[1] ?? '' },
    caller,
  )
  expect(never.uplift).toMatchObject({ shown: 8, held_out: 0, difference: null, interval: null })
})

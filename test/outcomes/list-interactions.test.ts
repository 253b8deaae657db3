import { describe, expect, it } from 'vitest'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { listInteractions } from '../../src/operations/interactions/list-interactions.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { call, exchange, freshProject, testServices } from './support.ts'

interface Tracked {
  interaction_id: string
}

describe('list_interactions', () => {
  it('truncates long texts at whole characters, and marks them', async () => {
    const services = testServices()
    const project = freshProject()
    await call(trackInteraction, services, exchange(project, { response: '🦀'.repeat(600) }))
    await call(trackInteraction, services, exchange(project, { response: '🦀'.repeat(500) }))
    const { interactions } = await call<{ interactions: { response: string; truncated: boolean }[] }>(
      listInteractions,
      services,
      { project },
    )
    expect(interactions.map(({ truncated }) => truncated)).toEqual([false, true])
    for (const { response } of interactions) expect(response).toBe('🦀'.repeat(500))
  })

  it('pages through everything once, newest first, and filters', async () => {
    const services = testServices()
    const project = freshProject()
    const ids: string[] = []
    for (let i = 0; i < 7; i++) {
      const input = exchange(project, { tags: i % 2 ? ['odd'] : ['even', 'x'] })
      ids.push((await call<Tracked>(trackInteraction, services, input)).interaction_id)
    }
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page: { interactions: Tracked[]; next_cursor: string | null } = await call(listInteractions, services, {
        project,
        limit: 3,
        ...(cursor && { cursor }),
      })
      seen.push(...page.interactions.map((row) => row.interaction_id))
      cursor = page.next_cursor
    } while (cursor)
    expect(seen).toEqual([...ids].reverse())
    const odd = await call<{ interactions: unknown[] }>(listInteractions, services, { project, tags: ['odd'] })
    expect(odd.interactions).toHaveLength(3)
    const both = await call<{ interactions: unknown[] }>(listInteractions, services, { project, tags: ['x', 'even'] })
    expect(both.interactions).toHaveLength(4)
    const tags = Array.from({ length: 50 }, (_, i) => `tag ${i}`)
    expect(await call(listInteractions, services, { project, tags, outcome: 'success' })).toMatchObject({
      interactions: [],
    })
  })

  it('shows unreported tokens as unknown, not as zero', async () => {
    const services = testServices()
    const project = freshProject()
    const reported = await call<Tracked>(trackInteraction, services, exchange(project, { tokens_used: 120 }))
    const silent = await call<Tracked>(trackInteraction, services, exchange(project, { tokens_used: undefined }))
    const { interactions } = await call<{ interactions: { interaction_id: string; tokens_used: number | null }[] }>(
      listInteractions,
      services,
      { project },
    )
    const tokens = new Map(interactions.map((row) => [row.interaction_id, row.tokens_used]))
    expect(tokens.get(reported.interaction_id)).toBe(120)
    expect(tokens.get(silent.interaction_id)).toBeNull()
    expect(await call(getInteraction, services, { interaction_id: silent.interaction_id })).toMatchObject({
      tokens_used: null,
    })
  })
})

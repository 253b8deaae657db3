import { describe, expect, it } from 'vitest'
import { countSkipped, interactionExamples } from '../../src/database/queries/exports.ts'
import { compareVariants } from '../../src/operations/experiments/compare-variants.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { importInteractions } from '../../src/operations/interactions/import-interactions.ts'
import { listInteractions } from '../../src/operations/interactions/list-interactions.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { bindings, call, exchange, freshProject, testServices } from './support.ts'

interface List {
  interactions: { interaction_id: string }[]
  degraded: string[]
  next_cursor: string | null
}

/** Three interactions, of which the middle one has a damaged column. */
async function threeWithOneDamaged(column: string, value: string) {
  const services = testServices()
  const project = freshProject()
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    const tracked = await call<{ interaction_id: string }>(
      trackInteraction,
      services,
      exchange(project, { tags: ['kept'] }),
    )
    ids.push(tracked.interaction_id)
  }
  const [first = '', damaged = '', last = ''] = ids
  await bindings.DB.prepare(`UPDATE interactions SET ${column} = ? WHERE id = ?`).bind(value, damaged).run()
  return { services, project, first, damaged, last }
}

describe('an interaction with JSON that cannot be parsed', () => {
  it.each([
    ['tags', '["kept"'],
    ['tags', ''],
    ['tags', '{"kept": true}'],
    ['value_parts', '{"outcome":'],
    ['archived_jobs', 'none'],
  ])('%s %j: it is omitted from lists and reported, the rest is answered', async (column, value) => {
    const { services, project, first, damaged, last } = await threeWithOneDamaged(column, value)
    const list = await call<List>(listInteractions, services, { project })
    expect(list.interactions.map(({ interaction_id: id }) => id)).toEqual([last, first])
    expect(list.degraded).toEqual([`interaction:${damaged}`])
    const pages: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: List = await call(listInteractions, services, { project, limit: 1, ...(cursor && { cursor }) })
      pages.push(...page.interactions.map(({ interaction_id: id }) => id))
      cursor = page.next_cursor
    }
    expect(pages).toEqual([last, first])
    await expect(call(getInteraction, services, { interaction_id: damaged })).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('damaged'),
    })
  })

  it('does not break any filter, dataset or comparison by tags', async () => {
    const { services, project, first, last } = await threeWithOneDamaged('tags', '["kept"')
    const list = await call<List>(listInteractions, services, { project, tags: ['kept'] })
    expect(list.interactions.map(({ interaction_id: id }) => id)).toEqual([last, first])
    const filter = {
      project,
      kind: 'answer' as const,
      outcome: 'success' as const,
      minValueScore: null,
      tags: ['kept'],
    }
    expect(await interactionExamples(services.database, filter, '')).toEqual([])
    expect(await countSkipped(services.database, filter)).toEqual({ no_outcome: 2 })
    await call(compareVariants, services, { project, tag_a: 'kept', tag_b: 'other' })
  })
})

describe('import_interactions', () => {
  const entry = { query: 'q', response: 'r', agent_type: 'remote', model_used: 'm' }

  it('rejects a time that SQLite cannot convert to a date, and stores nothing of the batch', async () => {
    const services = testServices()
    const project = freshProject()
    const interactions = Array.from({ length: 40 }, () => ({ ...entry, response: 'x'.repeat(30_000) }))
    const over = { project, interactions: [...interactions, { ...entry, created_at: 253_402_300_800_000 }] }
    await expect(call(importInteractions, services, over)).rejects.toMatchObject({
      code: 'invalid_input',
      field: 'interactions[40].created_at',
      limit: 253_402_300_799_999,
    })
    expect((await call<List>(listInteractions, services, { project })).interactions).toEqual([])
    const last = { project, interactions: [{ ...entry, created_at: 253_402_300_799_999 }] }
    expect(await call(importInteractions, services, last)).toMatchObject({ imported: 1 })
  })

  it('stores a batch whose tags alone exceed 2 MB, the limit of one parameter in D1', async () => {
    const services = testServices()
    const project = freshProject()
    const tags = Array.from({ length: 50 }, (_, i) => `${String(i).padStart(2, '0')}${'漢'.repeat(98)}`)
    const interactions = Array.from({ length: 200 }, () => ({ ...entry, tags }))
    const bytes = new TextEncoder().encode(JSON.stringify(interactions)).length
    expect(bytes).toBeGreaterThan(2_000_000)
    expect(await call(importInteractions, services, { project, interactions })).toMatchObject({ imported: 200 })
  })
})

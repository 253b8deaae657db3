import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { NewTurn } from '../../src/conversation/client.ts'
import { DurableConversations } from '../../src/conversation/durable-client.ts'
import { newId } from '../../src/ids.ts'

const DAY = 86_400_000
const conversations = new DurableConversations(env.CONVERSATIONS, 7 * DAY)
const stubOf = (project: string, id: string) => env.CONVERSATIONS.getByName(JSON.stringify([project, id]))

function turn(query: string, shown: NewTurn['shown'] = [], tokens = 100): NewTurn {
  return { key: newId(), query, queryTokens: 10, tokens, shown }
}

function item(contextId: string, version = 1, start = 0, end = 50) {
  return { contextId, version, title: `title of ${contextId}`, stretches: [{ start, end }], tokens: 40 }
}

describe('turns', () => {
  it('two hundred concurrent writers: no turn is lost or duplicated, and numbers have no gaps', async () => {
    const turns = Array.from({ length: 200 }, (_, i) => turn(`question ${i}`, [item(`best-practices/${i % 20}`)]))
    const added = await Promise.all(turns.map((entry) => conversations.addTurn('p', 'busy', entry)))
    expect(new Set(added.map(({ turnNumber }) => turnNumber)).size).toBe(200)
    const state = await conversations.read('p', 'busy')
    expect(state?.turns.map(({ number }) => number)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
    expect(new Set(state?.turns.map(({ query }) => query))).toEqual(new Set(turns.map(({ query }) => query)))
    expect(state?.shown).toHaveLength(20)
    expect(new Set(state?.shown.map(({ number }) => number)).size).toBe(20)
  })

  it('a turn that is sent again is the same turn', async () => {
    const once = turn('said once', [item('best-practices/a'), item('best-practices/b')])
    const first = await conversations.addTurn('p', 'again', once)
    await conversations.addTurn('p', 'again', turn('something else'))
    expect(await conversations.addTurn('p', 'again', once)).toEqual(first)
    expect((await conversations.read('p', 'again'))?.turns).toHaveLength(2)
  })

  it('eviction between and during writes loses nothing', async () => {
    const stub = stubOf('p', 'evicted')
    const expected: string[] = []
    for (let round = 0; round < 5; round++) {
      const entries = Array.from({ length: 20 }, (_, i) =>
        turn(`round ${round}, question ${i}`, [item(`best-practices/${i}`)]),
      )
      expected.push(...entries.map(({ query }) => query))
      await Promise.all(entries.map((entry) => conversations.addTurn('p', 'evicted', entry)))
      await evictDurableObject(stub)
    }
    const state = await conversations.read('p', 'evicted')
    expect(state?.turns.map(({ query }) => query).sort()).toEqual(expected.sort())
    expect((await conversations.recall('p', 'evicted', 1e9)).contexts).toHaveLength(20)
  })

  it('projects are separate', async () => {
    await conversations.addTurn('one', 'same', turn('in one'))
    expect(await conversations.read('two', 'same')).toBeNull()
  })
})

describe('recall', () => {
  it('an item keeps its number, accumulates passages, and gets a new number when it changes', async () => {
    const first = await conversations.addTurn('p', 'recall', turn('a', [item('best-practices/x', 1, 0, 50)]))
    const second = await conversations.addTurn('p', 'recall', turn('b', [item('best-practices/x', 1, 80, 120)]))
    expect(second.numbers).toEqual(first.numbers)
    const changed = await conversations.addTurn('p', 'recall', turn('c', [item('best-practices/x', 2, 0, 20)]))
    expect(changed.numbers).not.toEqual(first.numbers)
    const { contexts, nextNumber } = await conversations.recall('p', 'recall', 1e9)
    expect(contexts.find(({ version }) => version === 1)?.stretches).toEqual([
      { start: 0, end: 50 },
      { start: 80, end: 120 },
    ])
    expect(nextNumber).toBe(3)
  })

  it('drops context outside the token window, counting tracked answers', async () => {
    await conversations.addTurn('p', 'window', turn('old', [item('best-practices/old')], 100))
    await conversations.addTurn('p', 'window', turn('new', [item('best-practices/new')], 100))
    const ids = async (window: number) =>
      (await conversations.recall('p', 'window', window)).contexts.map(({ contextId }) => contextId)
    expect(await ids(1100)).toEqual(['best-practices/old', 'best-practices/new'])
    expect(await ids(1000)).toEqual(['best-practices/new'])
    expect(await ids(0)).toEqual([])
    expect(await conversations.addAnswer('p', 'window', { query: 'new', response: 'Long.', tokens: 5000 })).toBe(true)
    expect(await ids(1100)).toEqual([])
    expect(await conversations.addAnswer('p', 'window', { query: 'never asked', response: 'x', tokens: 1 })).toBe(false)
  })
})

describe('lifetime', () => {
  it('every turn postpones the alarm, which deletes everything', async () => {
    await conversations.addTurn('p', 'expiring', turn('first'))
    const before = (await conversations.read('p', 'expiring'))?.expiresAt ?? 0
    expect(Math.abs(before - Date.now() - 7 * DAY)).toBeLessThan(60_000)
    await new DurableConversations(env.CONVERSATIONS, 9 * DAY).addTurn('p', 'expiring', turn('second'))
    expect((await conversations.read('p', 'expiring'))?.expiresAt).toBeGreaterThan(before + DAY)
    const stub = stubOf('p', 'expiring')
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await conversations.read('p', 'expiring')).toBeNull()
    expect((await conversations.addTurn('p', 'expiring', turn('anew'))).turnNumber).toBe(1)
  })

  it('deletion removes everything, including the alarm; reading a missing conversation leaves nothing', async () => {
    await conversations.addTurn('p', 'deleted', turn('gone soon'))
    expect(await conversations.delete('p', 'deleted')).toBe(true)
    expect(await conversations.delete('p', 'deleted')).toBe(false)
    expect(await runDurableObjectAlarm(stubOf('p', 'deleted'))).toBe(false)
    expect(await conversations.recall('p', 'never', 1000)).toEqual({ contexts: [], nextNumber: 1, turns: 0 })
    await runInDurableObject(stubOf('p', 'never'), (_, state) => {
      const tables = state.storage.sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'")
        .toArray()
      expect(tables).toEqual([])
    })
  })

  it('keeps the last 500 turns; the summary covers the rest', async () => {
    await conversations.addTurn('p', 'long', turn('The deployment uses blue green switching behind Traefik.'))
    for (let batch = 0; batch < 51; batch++) {
      await Promise.all(
        Array.from({ length: 10 }, (_, i) => conversations.addTurn('p', 'long', turn(`q ${batch} ${i}`))),
      )
    }
    const state = await conversations.read('p', 'long')
    expect(state?.turns).toHaveLength(500)
    expect(state?.droppedTurns).toBe(11)
    expect(state?.summary.method).toBe('extractive')
    expect(state?.summary.text).toContain('Traefik')
  })

  it('keeps the beginning of long texts', async () => {
    await conversations.addTurn('p', 'wide', turn('x'.repeat(100_000)))
    await conversations.addAnswer('p', 'wide', { query: 'x'.repeat(100_000), response: 'y'.repeat(200_000), tokens: 9 })
    const [only] = (await conversations.read('p', 'wide'))?.turns ?? []
    expect(only?.query).toHaveLength(2000)
    expect(only?.answer).toHaveLength(2000)
  })
})

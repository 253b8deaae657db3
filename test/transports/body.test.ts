import { describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { measureInput } from '../../src/operations/input-sizes.ts'
import { invoke, parseInput } from '../../src/operations/invoke.ts'
import { foldText, words } from '../../src/text/words.ts'
import { readBodyText } from '../../src/transports/body.ts'

const posted = (body: ReadableStream) =>
  new Request('http://localhost/', { method: 'POST', body, headers: { 'content-type': 'application/json' } })

describe('a body', () => {
  test('that never ends is aborted at the deadline', async () => {
    const endless = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
      pull: () => new Promise(() => undefined),
    })
    await expect(readBodyText(posted(endless), 1000, 50)).rejects.toMatchObject({
      code: 'request_timeout',
      status: 408,
      field: 'body',
    })
  })

  test('interrupted by its sender is not a fault of the coordinator', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('connection lost')),
    })
    await expect(readBodyText(posted(broken), 1000)).rejects.toMatchObject({
      code: 'client_closed_request',
      status: 499,
    })
  })

  test('that arrives in time is complete', async () => {
    expect(await readBodyText(posted(new Blob(['{"a":', '"é"}']).stream()), 1000)).toBe('{"a":"é"}')
  })
})

describe('an error is equally small for many faults and for one', () => {
  const track = OPERATIONS.find(({ name }) => name === 'track_interaction')

  test('of unknown fields it lists ten', () => {
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`unknown_${n}`, 1]))
    let message = ''
    try {
      if (track) parseInput(track.input, { query: 'q', response: 'r', agent_type: 'local', model_used: 'm', ...many })
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('"unknown_9" and 49990 more')
    expect(message.length).toBeLessThan(500)
  })

  test.each([
    ['fields', Object.fromEntries(Array.from({ length: 100_001 }, (_, n) => [`f${n}`, 1]))],
    ['items', { items: Array.from({ length: 100_001 }, () => 0) }],
    ['arrays in arrays', { items: Array.from({ length: 400 }, () => Array.from({ length: 400 }, () => [])) }],
  ])('of too many %s it stops counting', (_, input) => {
    expect(() => measureInput(input, 1000)).toThrow(/more than 100000 values/)
  })

  test('it is returned before any work', async () => {
    const input = { items: Array.from({ length: 100_001 }, () => 0) }
    const services = { settings: { MAX_FIELD_CHARACTERS: 1000 } } as never
    const caller = { id: 'x', scopes: ['admin'], project: null } as const
    for (const operation of OPERATIONS) {
      await expect(invoke(operation, services, input, caller)).rejects.toMatchObject({ code: 'payload_too_large' })
    }
  })
})

describe('normalisation', () => {
  test('makes no text more than seven times as long', () => {
    for (let code = 0; code < 0x11_0000; code++) {
      if (code >= 0xd800 && code < 0xe000) continue
      const one = String.fromCodePoint(code)
      const folded = foldText(one.repeat(4)).length
      if (folded > 7 * 4 * one.length) throw new Error(`U+${code.toString(16)} becomes ${folded / 4} characters`)
    }
  })

  test('removes the ligatures of phrases and keeps the text around them', () => {
    expect(words('Muhammad ﷺ said')).toEqual(['muhammad', 'said'])
    expect(words('㌀ ﬁne')).toEqual(words('アパート fine'))
  })
})

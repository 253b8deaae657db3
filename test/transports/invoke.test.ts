import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { invoke, parseInput } from '../../src/operations/invoke.ts'

import { type Caller, operation, READS } from '../../src/operations/operation.ts'

import type { Services } from '../../src/services.ts'
import { readSettings } from '../../src/settings.ts'

const echo = operation({
  name: 'echo',
  group: 'context',
  title: 'Echo',
  description: 'Answers its input.',
  scope: 'write',
  annotations: READS,
  http: [{ method: 'POST', path: '/echo' }],
  input: z.strictObject({ project: z.string().default('default') }),
  output: z.object({ project: z.string() }),
  run: async (_, input) => input,
})
const services = { settings: readSettings({}) } as Services
const caller = (change: Partial<Caller> = {}): Caller => ({ id: 'k', scopes: ['write'], project: null, ...change })

describe('invoke', () => {
  test('requires the scope of the operation, or admin', async () => {
    await expect(invoke(echo, services, {}, caller({ scopes: ['read', 'learn'] }))).rejects.toMatchObject({
      code: 'forbidden',
    })
    await expect(invoke(echo, services, {}, caller({ scopes: ['admin'] }))).resolves.toEqual({ project: 'default' })
  })

  test('gives a bound caller its own project if it names none, and no other', async () => {
    const bound = caller({ project: 'mine' })
    await expect(invoke(echo, services, {}, bound)).resolves.toEqual({ project: 'mine' })
    await expect(invoke(echo, services, undefined, bound)).resolves.toEqual({ project: 'mine' })
    await expect(invoke(echo, services, { project: 'mine' }, bound)).resolves.toEqual({ project: 'mine' })
    await expect(invoke(echo, services, { project: 'default' }, bound)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(invoke(echo, services, { project: 'other' }, bound)).rejects.toMatchObject({
      code: 'forbidden',
      field: 'project',
    })
  })
})

describe('parseInput', () => {
  const schema = z.strictObject({
    id: z.uuid('must be a UUID').optional(),
    either: z.union([z.string(), z.number()]).optional(),
    map: z.record(z.string(), z.string()).optional(),
    list: z
      .array(z.strictObject({ name: z.string().min(1) }))
      .max(2)
      .optional(),
    url: z.url().optional(),
  })

  test.each([
    [{ id: 'x' }, 'id', 'id must be a UUID.'],
    [{ either: true }, 'either', 'either is of none of the kinds that are allowed here.'],
    [{ map: [] }, 'map', 'map must be an object.'],
    [{ map: { a: 1 } }, 'map.a', 'map.a must be a string.'],
    [{ list: [{ name: 'a' }, {}] }, 'list[1].name', 'list[1].name is missing.'],
    [{ list: [{ name: '' }] }, 'list[0].name', 'list[0].name is under its limit: at least 1 characters.'],
    [{ list: [{}, {}, {}] }, 'list', 'list is over its limit: at most 2 items.'],
    [{ url: 'x' }, 'url', 'url is not valid: URL.'],
    [{ other: 1 }, 'other', 'Unknown field: "other".'],
    [[], 'input', 'input must be an object.'],
    ['x', 'input', 'input must be an object.'],
  ])('%j', (raw, field, message) => {
    expect(() => parseInput(schema, raw)).toThrowError(
      expect.objectContaining({ code: 'invalid_input', field, message }),
    )
  })

  test('a name of any length is truncated', () => {
    const name = 'x'.repeat(100_000)
    try {
      parseInput(schema, { map: { [name]: 1 } })
      expect.unreachable()
    } catch (thrown) {
      expect(JSON.stringify(thrown).length).toBeLessThan(2000)
    }
  })
})

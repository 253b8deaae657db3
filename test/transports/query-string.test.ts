import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ObjectSchema } from '../../src/transports/json-schema.ts'
import { coerceQuery } from '../../src/transports/query-string.ts'

const schema: ObjectSchema = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    whole: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    names: { type: 'array', items: { type: 'string' } },
    object: { type: 'object' },
    nullable: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    mixed: { type: ['integer', 'string'] },
  },
}
const coerce = (pairs: [string, string][]) => Object.fromEntries(coerceQuery(new URLSearchParams(pairs), schema))

describe('coerceQuery', () => {
  test('returns every value that was written into a query string', () => {
    const name = fc.string({ minLength: 1 }).filter((text) => !text.includes(',') && text.isWellFormed())
    fc.assert(
      fc.property(
        fc.record({
          text: fc.string().filter((text) => text.isWellFormed()),
          whole: fc.integer(),
          real: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
          flag: fc.boolean(),
          names: fc.array(name, { minLength: 1 }),
          object: fc.dictionary(fc.constantFrom('a', 'b'), fc.integer()),
          nullable: fc.option(fc.integer()),
          mixed: fc.integer(),
        }),
        (values) => {
          const { names, object, ...scalars } = values
          const pairs: [string, string][] = [
            ...Object.entries(scalars).map(([field, value]): [string, string] => [field, String(value)]),
            ...names.map((value): [string, string] => ['names', value]),
            ['object', JSON.stringify(object)],
          ]
          expect(coerce(pairs)).toEqual({ ...values, object: { ...object } })
        },
      ),
    )
  })

  test('fails only with an error that names the parameter', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(schema.properties)), fc.string(), (field, text) => {
        try {
          coerce([[field, text]])
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'invalid_input', field: expect.stringContaining(field) })
        }
      }),
    )
  })

  test('keeps fields that are not in the schema as text', () => {
    expect(
      coerce([
        ['other', '7'],
        ['toString', 'x'],
      ]),
    ).toEqual({ other: '7', toString: 'x' })
  })
})

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { locateJsonError } from '../../src/transports/json-error.ts'

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('locateJsonError', () => {
  test('finds nothing in JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(locateJsonError(text)).toBeNull()
      }),
    )
    for (const text of [' 1 ', '-0.5e+10', '"\\u00e9\\n"', '[[],{},[{}]]', 'true', '\t{"a" : [ 1 , 2 ] }\r\n']) {
      expect(locateJsonError(text)).toBeNull()
    }
  })

  test('agrees with the engine on every text', () => {
    const nearly = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([json, at, change]) => {
      const where = at % (json.length + 1)
      return json.slice(0, where) + change + json.slice(where + 1)
    })
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string()), (text) => {
        expect(locateJsonError(text) === null).toBe(parses(text))
      }),
      { numRuns: 2000 },
    )
  })

  test('the text before the position can still become JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (json, at) => {
        const where = at % (json.length + 1)
        const found = locateJsonError(`${json.slice(0, where)}\u0001${json.slice(where)}`)
        if (found) expect(found.offset).toBeLessThanOrEqual(where)
      }),
    )
  })

  test.each([
    ['', 1, 1, 'a value'],
    ['{', 1, 2, '"}"'],
    ['[1,]', 1, 4, 'a value'],
    ['[1 2]', 1, 4, '"]"'],
    ['{"a" 1}', 1, 6, '":"'],
    ['{"a":1,}', 1, 8, 'property name'],
    ['{\n"a": tru}', 2, 6, 'a value'],
    ['"abc', 1, 5, 'closing quote'],
    ['"a\nb"', 1, 3, 'escape'],
    ['"\\x"', 1, 2, 'escape'],
    ['"\\u12g4"', 1, 2, 'hexadecimal'],
    ['01', 1, 2, 'end of the text'],
    ['1 1', 1, 3, 'end of the text'],
  ])('%j breaks at line %i, column %i', (text, line, column, expected) => {
    const found = locateJsonError(text)
    expect(found).toMatchObject({ line, column })
    expect(found?.expected).toContain(expected)
  })

  test('accepts deep and long texts', () => {
    expect(locateJsonError('['.repeat(1_000_000))).toMatchObject({ offset: 1_000_000 })
    expect(locateJsonError(`"${'x'.repeat(4_000_000)}`)).toMatchObject({ offset: 4_000_001 })
  })
})

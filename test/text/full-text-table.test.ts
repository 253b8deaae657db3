import { describe, expect, it } from 'vitest'
import { createFullTextTable, deleteFullText, searchFullText, writeFullText } from '../../src/text/full-text-table.ts'

describe('full-text table', () => {
  it('takes plain names only', () => {
    for (const statement of [createFullTextTable, searchFullText, writeFullText, deleteFullText]) {
      expect(() => statement('items; DROP TABLE items')).toThrow(RangeError)
      expect(() => statement('items')).not.toThrow()
    }
  })
})

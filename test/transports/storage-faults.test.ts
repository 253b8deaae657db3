import { describe, expect, it } from 'vitest'
import { toCoordinatorError } from '../../src/errors.ts'
import { problemResponse, reportError } from '../../src/transports/problem.ts'

/** An error of D1, as thrown by drizzle. */
function failedQuery(message: string): Error {
  return new Error('Failed query: insert into interactions values (?)\nparams: what a user wrote', {
    cause: new Error(`D1_ERROR: ${message}`, { cause: new Error(message) }),
  })
}

describe('a fault of the storage', () => {
  it.each([
    ['database or disk is full: SQLITE_FULL', 'storage_full', 507],
    ['Exceeded maximum DB size', 'storage_full', 507],
    ['database is locked: SQLITE_BUSY', 'storage_busy', 503],
    ['database table is locked: SQLITE_LOCKED', 'storage_busy', 503],
  ])('%s: %s', async (message, code, status) => {
    for (const thrown of [failedQuery(message), new Error(message), new Error(`D1_ERROR: ${message}`)]) {
      const response = problemResponse(reportError(thrown, 'request', 'test'), 'request')
      expect(response.status).toBe(status)
      expect(response.headers.get('Retry-After')).toBe(code === 'storage_busy' ? '1' : null)
      const text = await response.text()
      expect(JSON.parse(text)).toMatchObject({ code, type: `/docs/errors#${code}`, hint: expect.any(String) })
      expect(text).not.toMatch(/SQLITE|insert|user wrote/)
    }
  })

  it('is not derived from the text of a query', () => {
    const said = 'How do I fix SQLITE_FULL: database or disk is full?'
    const query = new Error(`Failed query: select ?\nparams: ${said}`, { cause: new Error('D1_ERROR: no such table') })
    for (const thrown of [query, new SyntaxError(`Unexpected token, "${said}" is not valid JSON`), said, null]) {
      expect(toCoordinatorError(thrown).code).toBe('internal')
    }
  })
})

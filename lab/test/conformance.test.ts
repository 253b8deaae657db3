import { expect, it } from 'vitest'
import { isUnexpected, runSuite } from '../conformance/conformance.ts'

/** The complete published suite: both requirement sets against the product's own transport and guards. */
it('the MCP conformance suite has only explained failures', async () => {
  const reports = await runSuite()
  expect(reports.filter(isUnexpected)).toEqual([])
  for (const revision of ['2025-11-25', '2026-07-28']) {
    const passed = reports.filter((report) => report.revision === revision && report.verdict === 'passed')
    expect(passed.length, revision).toBeGreaterThan(20)
  }
})

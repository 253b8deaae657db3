/**
 * All findings of the security review that a request can reproduce, in the order of the review. The others are in the
 * tests that docs/security-tables.md names.
 * @module
 */
import { ACCESS } from './access.ts'
import { CONTENT } from './content.ts'
import { COST } from './cost.ts'
import type { Finding } from './finding.ts'

export const FINDINGS: readonly Finding[] = [...COST, ...CONTENT, ...ACCESS].toSorted((a, b) =>
  a.id.localeCompare(b.id),
)

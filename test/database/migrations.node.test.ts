/**
 * Migrations run while the previous Worker still serves, and remain after a rollback to it. So a version only adds
 * (expand); unused parts are removed in a later version (contract), whose file name states it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const FOLDER = join(import.meta.dirname, '../../migrations')
/** Earlier migrations are applied everywhere. */
const SINCE = '0018'

/** Changes that break the previous Worker. */
const BREAKING: Readonly<Record<string, RegExp>> = {
  'drops a table': /\bDROP\s+TABLE\b/i,
  'drops a column': /\bDROP\s+COLUMN\b/i,
  'renames something': /\bRENAME\b/i,
  'adds a column that a write of the Worker before leaves empty': /\bADD\b(?!.*\bDEFAULT\b).*\bNOT\s+NULL\b/i,
}

function faults(name: string, sql: string): string[] {
  if (name.includes('contract')) return []
  return Object.entries(BREAKING).flatMap(([fault, pattern]) =>
    sql.split('\n').some((line) => !line.trim().startsWith('--') && pattern.test(line)) ? [`${name} ${fault}`] : [],
  )
}

test('migrations only add', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql') && name >= SINCE)
  expect(files.length).toBeGreaterThan(2)
  expect(files.flatMap((name) => faults(name, readFileSync(join(FOLDER, name), 'utf8')))).toEqual([])
})

test('detects a migration that removes something', () => {
  expect(faults('x.sql', 'ALTER TABLE `jobs` DROP COLUMN `state`;')).toEqual(['x.sql drops a column'])
  expect(faults('x.sql', 'ALTER TABLE `jobs` ADD `a` text NOT NULL;')).toHaveLength(1)
  expect(faults('x.sql', 'ALTER TABLE `jobs` RENAME TO `tasks`;')).toHaveLength(1)
  expect(faults('x.sql', 'DROP TABLE `jobs`;')).toHaveLength(1)
  expect(faults('x.sql', 'ALTER TABLE `jobs` ADD `a` integer DEFAULT 0 NOT NULL;')).toEqual([])
  expect(faults('9_contract.sql', 'DROP TABLE `jobs`;')).toEqual([])
})

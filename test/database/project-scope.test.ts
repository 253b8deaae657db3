import { getTableColumns, getTableName, is, Table } from 'drizzle-orm'
import { expect, test } from 'vitest'
import * as schema from '../../src/database/schema.ts'

/**
 * Tables without a project, and the column that refers to a row with one; null: they belong to the whole coordinator.
 */
const WITHOUT_PROJECT: Readonly<Record<string, string | null>> = {
  interaction_contexts: 'interaction_id',
  outcome_votes: 'interaction_id',
  pattern_sources: 'interaction_id',
  generation_usage: null,
  learning_controls: null,
  model_usage: null,
}

test('every table has a project or refers to a row that has one, so that a project can be exported, deleted or moved', () => {
  const tables = Object.values(schema).filter((value) => is(value, Table)) as Table[]
  expect(tables.length).toBeGreaterThan(10)
  const without: string[] = []
  for (const table of tables) {
    const columns = Object.values(getTableColumns(table)).map(({ name }) => name)
    if (columns.includes('project')) continue
    without.push(getTableName(table))
    const reference = WITHOUT_PROJECT[getTableName(table)]
    if (reference) expect(columns).toContain(reference)
  }
  expect(without.sort()).toEqual(Object.keys(WITHOUT_PROJECT).sort())
})

/**
 * Whole tables of one project, for audits.
 */
import { eq } from 'drizzle-orm'
import { corrections, interactions } from '../../../src/database/schema.ts'
import type { Services } from '../../../src/services.ts'

export function allInteractions({ database }: Services, project: string) {
  return database.select().from(interactions).where(eq(interactions.project, project))
}

export function allCorrections({ database }: Services, project: string) {
  return database.select().from(corrections).where(eq(corrections.project, project))
}

/** Rows of a statement with the project as its only parameter. */
export async function rowsOf(services: Services, sql: string, project: string): Promise<Record<string, unknown>[]> {
  return (await services.database.$client.prepare(sql).bind(project).all()).results as Record<string, unknown>[]
}

/** Interactions that are in the archive. */
export async function archivedIds(services: Services, project: string): Promise<string[]> {
  const rows = await rowsOf(
    services,
    'SELECT id FROM interactions WHERE project = ? AND archive_id IS NOT NULL',
    project,
  )
  return rows.map(({ id }) => String(id))
}

/**
 * The audit log: which key performed which administrative action, and how it ended.
 * @module
 */
import { and, desc, eq, lt } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { auditLog } from '../schema.ts'

export type AuditRow = typeof auditLog.$inferSelect

/** Records the start of an action. */
export async function insertAct(database: Database, row: AuditRow): Promise<void> {
  await database.insert(auditLog).values(row)
}

/** Records the outcome of an action. */
export async function closeAct(database: Database, id: string, outcome: string): Promise<void> {
  await database.update(auditLog).set({ outcome }).where(eq(auditLog.id, id))
}

/** Newest first, after the given id. Reads one row more than `limit`, to detect a next page. */
export function listActs(database: Database, onlyProject: string | null, after: string | null, limit: number) {
  return database
    .select()
    .from(auditLog)
    .where(
      and(
        onlyProject === null ? undefined : eq(auditLog.project, onlyProject),
        after === null ? undefined : lt(auditLog.id, after),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit + 1)
}

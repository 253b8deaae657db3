/**
 * The audit log: which key did which administrative act, and how it ended.
 * @module
 */
import { and, desc, eq, lt } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { auditLog } from '../schema.ts'

export type AuditRow = typeof auditLog.$inferSelect

/** Writes down that an act begins. */
export async function insertAct(database: Database, row: AuditRow): Promise<void> {
  await database.insert(auditLog).values(row)
}

/** Writes down how an act ended. */
export async function closeAct(database: Database, id: string, outcome: string): Promise<void> {
  await database.update(auditLog).set({ outcome }).where(eq(auditLog.id, id))
}

/** Newest first, after the given id; one row more than `limit` tells whether there is a next page. */
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

/**
 * Writes administrative actions and deletions to the audit log. The row is inserted first, then the action runs, then
 * its outcome is recorded.
 * @module
 */
import { closeAct, insertAct } from '../database/queries/audit.ts'
import { CoordinatorError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Services } from '../services.ts'
import type { Caller, Operation } from './operation.ts'

/** The longest text, and the maximum number of entries of a list, that the log keeps of an input. */
const MAX_TEXT = 200
const MAX_ENTRIES = 20

/** Whether an operation is audited: operations that need `admin` and change something, and operations that delete. */
export function isAudited({ scope, annotations }: Operation): boolean {
  return !annotations.readOnlyHint && (scope === 'admin' || annotations.destructiveHint === true)
}

/**
 * Runs an operation and logs it. If the log can't be written, the operation doesn't run.
 * @throws what the operation throws
 */
export async function audited<T>(
  operation: Operation,
  { database, now }: Services,
  input: Record<string, unknown>,
  caller: Caller,
  run: () => Promise<T>,
): Promise<T> {
  const id = newId()
  await insertAct(database, {
    id,
    caller: caller.id,
    operation: operation.name,
    project: typeof input.project === 'string' ? input.project : caller.project,
    input: summary(input),
    outcome: 'started',
    createdAt: now(),
  })
  try {
    const output = await run()
    await closeAct(database, id, 'done').catch(() => undefined)
    return output
  } catch (thrown) {
    await closeAct(database, id, thrown instanceof CoordinatorError ? thrown.code : 'internal').catch(() => undefined)
    throw thrown
  }
}

/** Names, ids and numbers of an input. Long texts are truncated. */
function summary(input: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, brief(value)]))
}

function brief(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map(brief)
  return typeof value === 'object' && value !== null ? '…' : value
}

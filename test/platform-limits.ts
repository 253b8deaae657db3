/**
 * Cloudflare limits that the local runtime doesn't enforce, or not completely: violations fail here as they would
 * there. Sources: developers.cloudflare.com, Workers, D1, Durable Objects and Queues, "Limits".
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { Budget, PLAN_LIMITS } from '../src/budget.ts'

/** Memory of an isolate, in bytes. */
export const MEMORY_BYTES = 128 * 1024 * 1024
/** Maximum parameters and bytes of a statement. */
const PARAMETERS = 100
const SQL_BYTES = 100_000
/** Maximum bytes of a value or row, in D1 and in a Durable Object. */
const VALUE_BYTES = 2_000_000
/** Maximum bytes of a message, minus about 100 for the queue's overhead; maximum bytes and messages sent at once. */
const MESSAGE_BYTES = 127_900
const BATCH_BYTES = 256_000
const BATCH_MESSAGES = 100

const violations: string[] = []

/** The violations since the last call. */
export function takeViolations(): string[] {
  return violations.splice(0)
}

function assertWithin(limit: number, amount: number, what: string): void {
  if (amount <= limit) return
  const violation = `${what}: ${amount}, and Cloudflare's limit is ${limit}`
  violations.push(violation)
  throw new Error(violation)
}

function bytesOf(value: unknown): number {
  if (typeof value === 'string')
    return value.length * 3 <= VALUE_BYTES ? value.length : new TextEncoder().encode(value).length
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength
  return 8
}

function checkStatement(sql: string, values: readonly unknown[]): void {
  assertWithin(SQL_BYTES, bytesOf(sql), 'Bytes of a statement')
  assertWithin(PARAMETERS, values.length, 'Parameters of a statement')
  for (const value of values) assertWithin(VALUE_BYTES, bytesOf(value), 'Bytes of a value')
}

let enforced = false

/** From now on, every call of a binding is checked. Call once per file. */
export async function enforcePlatformLimits(): Promise<void> {
  if (enforced) return
  enforced = true
  checkBudgets()
  checkDatabase()
  checkQueue()
  await checkObjects()
}

/** Checks the use of each invocation, as counted by the product's own bindings. */
function checkBudgets(): void {
  const { use, hold } = Budget.prototype
  const { queries, calls } = PLAN_LIMITS.paid
  Budget.prototype.use = function (resource, amount) {
    use.call(this, resource, amount)
    assertWithin(queries, this.used.queries, 'D1 queries of an invocation')
    assertWithin(calls, this.used.calls, 'Subrequests of an invocation')
  }
  Budget.prototype.hold = function (bytes) {
    hold.call(this, bytes)
    assertWithin(MEMORY_BYTES, this.used.bytes, 'Bytes in memory')
  }
}

function checkDatabase(): void {
  const prepare = env.DB.prepare.bind(env.DB)
  env.DB.prepare = (sql) => {
    const statement = prepare(sql)
    const bind = statement.bind.bind(statement)
    statement.bind = (...values: unknown[]) => {
      checkStatement(sql, values)
      return bind(...values)
    }
    return statement
  }
}

function checkQueue(): void {
  const [send, sendBatch] = [env.JOBS.send.bind(env.JOBS), env.JOBS.sendBatch.bind(env.JOBS)]
  const sizeOf = (body: unknown) => {
    const size = new TextEncoder().encode(JSON.stringify(body)).length
    assertWithin(MESSAGE_BYTES, size, 'Bytes of a message')
    return size
  }
  env.JOBS.send = async (body, options) => {
    sizeOf(body)
    return send(body, options)
  }
  env.JOBS.sendBatch = async (messages, options) => {
    const all = [...messages]
    assertWithin(BATCH_MESSAGES, all.length, 'Messages sent at once')
    const total = all.reduce((sum, { body }) => sum + sizeOf(body), 0)
    assertWithin(BATCH_BYTES, total, 'Bytes of messages sent at once')
    return sendBatch(all, options)
  }
}

/** The storage of all objects in this isolate has the same prototype. */
async function checkObjects(): Promise<void> {
  await runInDurableObject(env.CONVERSATIONS.getByName('platform-limits'), (_, state) => {
    const prototype = Object.getPrototypeOf(state.storage.sql) as SqlStorage
    const exec = prototype.exec
    prototype.exec = function (this: SqlStorage, sql: string, ...values: unknown[]) {
      checkStatement(sql, values)
      return exec.call(this, sql, ...values)
    } as SqlStorage['exec']
  })
}

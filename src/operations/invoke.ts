/**
 * Runs operations for every surface. Checks scope and project, validates input, maps errors.
 * @module
 */
import type * as z from 'zod'
import { withBudget } from '../budget.ts'
import { countRedactions } from '../database/queries/redactions.ts'
import { CoordinatorError, invalidInput } from '../errors.ts'
import { type RedactionCounts, redactAll } from '../security/redact.ts'
import type { Services } from '../services.ts'
import { audited, isAudited } from './audit.ts'
import { fieldName, measureInput } from './input-sizes.ts'
import { parseLeniently } from './lenient.ts'
import type { Caller, Operation, Scope } from './operation.ts'

/** Maximum number of names that an error lists. */
const MAX_NAMES = 10

/** Whether a caller has a scope. `admin` includes all scopes. */
export function holds(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes('admin') || caller.scopes.includes(scope)
}

/** Tells a caller how to get a scope that it lacks. */
export function scopeHint(caller: Caller, scope: Scope): string {
  return caller.grantable?.includes(scope)
    ? `Sign in again and allow "${scope}".`
    : `Use a key with the scope "${scope}".`
}

/**
 * Checks a scope that an operation needs only for some inputs, in addition to its own scope.
 * @throws CoordinatorError `forbidden`
 */
export function assertScope(caller: Caller, scope: Scope, field?: string): void {
  if (holds(caller, scope)) return
  throw new CoordinatorError('forbidden', `This key lacks the scope "${scope}".`, {
    ...(field !== undefined && { field }),
    hint: scopeHint(caller, scope),
  })
}

/**
 * Validates raw input against the operation's schema.
 * @param lenient whether to correct unambiguous mistakes, see lenient.ts
 * @throws CoordinatorError `invalid_input` naming the first offending field, its limit and the fix
 */
export function parseInput<I extends z.ZodObject>(schema: I, raw: unknown, lenient = false): z.output<I> {
  const result = lenient ? parseLeniently(schema, raw ?? {}) : schema.safeParse(raw ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  if (!issue) throw invalidInput('input', 'The input is not valid.')
  throw fromIssue(issue)
}

/** Converts a zod issue to the error that callers receive. */
export function fromIssue(issue: z.core.$ZodIssue, prefix = ''): CoordinatorError {
  const field = fieldName(prefix, issue.path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return invalidInput(
        fieldName(prefix, [...issue.path, issue.keys[0] ?? '']),
        `Unknown field: ${named(issue.keys)}.`,
        {
          hint: 'Remove it or correct its name; the schema of this operation lists what it takes.',
        },
      )
    case 'too_big':
      return invalidInput(field, `${field} is over its limit: ${sizeOf(issue.origin, `at most ${issue.maximum}`)}.`, {
        limit: Number(issue.maximum),
        hint: `Send ${sizeOf(issue.origin, `${issue.maximum} or fewer`)}.`,
      })
    case 'too_small':
      return invalidInput(field, `${field} is under its limit: ${sizeOf(issue.origin, `at least ${issue.minimum}`)}.`, {
        limit: Number(issue.minimum),
        hint: issue.origin === 'string' ? `${field} must not be empty.` : `Send ${issue.minimum} or more.`,
      })
    case 'invalid_type':
      return issue.message.includes('received undefined')
        ? invalidInput(field, `${field} is missing.`, { hint: `Send ${field} as ${article(issue.expected)}.` })
        : invalidInput(field, `${field} must be ${article(issue.expected)}.`, {
            hint: `Send ${field} as ${article(issue.expected)}.`,
          })
    case 'invalid_value':
      return invalidInput(field, `${field} must be one of: ${issue.values.map(String).join(', ')}.`, {
        hint: `Use one of: ${issue.values.map(String).join(', ')}.`,
      })
    case 'invalid_union':
      return invalidInput(field, `${field} is of none of the kinds that are allowed here.`, {
        hint: 'The schema of this operation lists them.',
      })
    case 'invalid_key':
      return invalidInput(field, `${field} has a name that is not allowed.`)
    default:
      return invalidInput(field, `${field} ${decapitalised(issue.message)}.`.replace(/\.\.$/, '.'))
  }
}

/**
 * Runs an operation for a caller.
 * @throws CoordinatorError; the surface maps any other exception to `internal`
 */
export function invoke(operation: Operation, services: Services, raw: unknown, caller: Caller): Promise<object> {
  return withBudget(() => run(operation, services, raw, caller))
}

async function run(operation: Operation, services: Services, raw: unknown, caller: Caller): Promise<object> {
  assertScope(caller, operation.scope)
  const tooDeep = measureInput(raw, services.settings.MAX_FIELD_CHARACTERS)
  // Input to administrative and destructive operations must be exact: no lenient parsing.
  const input = parseInput(operation.input, inOwnProject(operation, raw, caller), !tooDeep && !isAudited(operation))
  if (tooDeep) throw tooDeep
  assertProject(input, caller)
  // From here on, the input contains no secrets or private spans. Only this copy is stored, searched or sent to a
  // model.
  const redactions: RedactionCounts = {}
  const clean = operation.verbatim ? input : redactAll(input, redactions)
  const work = () => operation.run(services, clean, caller)
  const output = await (isAudited(operation) ? audited(operation, services, clean, caller, work) : work())
  if (clean === input) return output
  // Counted only after success: a rejected request changes nothing, including this count. A failed request is counted
  // when it is retried.
  const project = typeof input.project === 'string' ? input.project : (caller.project ?? 'default')
  await countRedactions(services.database, project, redactions, services.now()).catch(() => undefined)
  return output
}

/** If a caller is bound to a project and names none, it gets its own project, not the default one. */
function inOwnProject(operation: Operation, raw: unknown, caller: Caller): unknown {
  if (caller.project === null || !('project' in operation.input.shape)) return raw
  const input = raw ?? {}
  if (typeof input !== 'object') return input
  const { project } = input as { project?: unknown }
  // In administrative operations, null is a distinct value: all projects.
  const named = project !== undefined && (isAudited(operation) || (project !== null && project !== ''))
  return named ? input : { ...input, project: caller.project }
}

/** A key that is bound to a project can't access another one. */
function assertProject(input: Record<string, unknown>, caller: Caller): void {
  if (caller.project === null || input.project === undefined || input.project === caller.project) return
  throw new CoordinatorError('forbidden', `This key or connection is bound to the project ${caller.project}.`, {
    field: 'project',
    hint: 'Leave project out, or use a key or connection for the other project.',
  })
}

/** zod's messages begin with "Invalid …". Ours begin with the field's name. */
function decapitalised(message: string): string {
  return message.startsWith('Invalid ') ? `is not valid: ${message.slice('Invalid '.length)}` : message
}

function sizeOf(origin: string, amount: string): string {
  if (origin === 'string') return `${amount} characters`
  if (origin === 'array') return `${amount} items`
  return amount
}

/** JSON type names for zod's type names. */
const TYPE_NAMES: Readonly<Record<string, string>> = { int: 'integer', record: 'object' }

function article(expected: string): string {
  const name = TYPE_NAMES[expected] ?? expected
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`
}

/** Lists the first few names, so that an error doesn't grow with the number of faults. */
function named(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(quote).join(', ')
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

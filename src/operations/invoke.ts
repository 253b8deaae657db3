/**
 * The one way in which a surface runs an operation: scope, project, validation, errors.
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

/** Names that an error lists at most. */
const MAX_NAMES = 10

/** Whether a caller holds a scope; `admin` holds all. */
export function holds(caller: Caller, scope: Scope): boolean {
  return caller.scopes.includes('admin') || caller.scopes.includes(scope)
}

/** What a caller can do about a scope that it lacks. */
export function scopeHint(caller: Caller, scope: Scope): string {
  return caller.grantable?.includes(scope)
    ? `Sign in again and allow "${scope}".`
    : `Use a key with the scope "${scope}".`
}

/**
 * For what an operation does only with some input and that takes more than its own scope.
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
 * @param lenient whether to correct what leaves no doubt, see lenient.ts
 * @throws CoordinatorError `invalid_input` naming the first offending field, its limit and the fix
 */
export function parseInput<I extends z.ZodObject>(schema: I, raw: unknown, lenient = false): z.output<I> {
  const result = lenient ? parseLeniently(schema, raw ?? {}) : schema.safeParse(raw ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  if (!issue) throw invalidInput('input', 'The input is not valid.')
  throw fromIssue(issue)
}

/** Turns zod's finding into the error that callers see. */
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
 * @throws CoordinatorError; anything else thrown is a fault that the surface maps to `internal`
 */
export function invoke(operation: Operation, services: Services, raw: unknown, caller: Caller): Promise<object> {
  return withBudget(() => run(operation, services, raw, caller))
}

async function run(operation: Operation, services: Services, raw: unknown, caller: Caller): Promise<object> {
  assertScope(caller, operation.scope)
  const tooDeep = measureInput(raw, services.settings.MAX_FIELD_CHARACTERS)
  // What deletes or administers has to be said exactly.
  const input = parseInput(operation.input, inOwnProject(operation, raw, caller), !tooDeep && !isAudited(operation))
  if (tooDeep) throw tooDeep
  assertProject(input, caller)
  // Nothing that is stored, searched or sent to a model from here on has secrets or private spans in it.
  const redactions: RedactionCounts = {}
  const clean = redactAll(input, redactions)
  const work = () => operation.run(services, clean, caller)
  const output = await (isAudited(operation) ? audited(operation, services, clean, caller, work) : work())
  if (clean === input) return output
  // Only now: what was refused has changed nothing, this count included. What failed otherwise is counted when it is tried again.
  const project = typeof input.project === 'string' ? input.project : (caller.project ?? 'default')
  await countRedactions(services.database, project, redactions, services.now()).catch(() => undefined)
  return output
}

/** A caller that is bound to a project and names none means its own, not the default one. */
function inOwnProject(operation: Operation, raw: unknown, caller: Caller): unknown {
  if (caller.project === null || !('project' in operation.input.shape)) return raw
  const input = raw ?? {}
  if (typeof input !== 'object') return input
  const { project } = input as { project?: unknown }
  // In administration null is a value of its own: all projects.
  const named = project !== undefined && (isAudited(operation) || (project !== null && project !== ''))
  return named ? input : { ...input, project: caller.project }
}

/** A key bound to a project can't reach another one. */
function assertProject(input: Record<string, unknown>, caller: Caller): void {
  if (caller.project === null || input.project === undefined || input.project === caller.project) return
  throw new CoordinatorError('forbidden', `This key or connection is bound to the project ${caller.project}.`, {
    field: 'project',
    hint: 'Leave project out, or use a key or connection for the other project.',
  })
}

/** zod's own messages begin with "Invalid …"; ours continue the sentence that the field's name begins. */
function decapitalised(message: string): string {
  return message.startsWith('Invalid ') ? `is not valid: ${message.slice('Invalid '.length)}` : message
}

function sizeOf(origin: string, amount: string): string {
  if (origin === 'string') return `${amount} characters`
  if (origin === 'array') return `${amount} items`
  return amount
}

/** The types that JSON has, for zod's own names. */
const TYPE_NAMES: Readonly<Record<string, string>> = { int: 'integer', record: 'object' }

function article(expected: string): string {
  const name = TYPE_NAMES[expected] ?? expected
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`
}

/** Some names of many: a refusal is no larger for a request with more faults. */
function named(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(quote).join(', ')
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

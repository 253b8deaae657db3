/**
 * Defines an operation: one value from which every surface (MCP, REST, OpenAPI, documentation) is generated.
 * @module
 */
import type * as z from 'zod'
import type { Scope } from '../database/schema.ts'
import type { Services } from '../services.ts'

export type { Scope }

/** The groups of operations, in documentation order. OpenAPI tags and tool sets are derived from them. */
export const GROUPS = {
  context: { title: 'Context', description: 'Find the passages that a query needs, and pack them into a prompt.' },
  knowledge: { title: 'Knowledge', description: 'Store, read, change and delete knowledge.' },
  interactions: { title: 'Interactions', description: 'Track answers, their outcomes and corrections.' },
  routing: { title: 'Routing', description: 'Choose the search and the model for a query.' },
  'training-data': { title: 'Training data', description: 'Export datasets for fine-tuning.' },
  experiments: { title: 'Experiments', description: 'Assign variants and compare them.' },
  administration: { title: 'Administration', description: 'Health, statistics, jobs, keys, settings and deletion.' },
} as const satisfies Record<string, { title: string; description: string }>
export type Group = keyof typeof GROUPS

/** The caller of an operation. The surface derives it from the presented key. */
export interface Caller {
  /** Stable id of the key, or `open` for loopback access without a key. */
  readonly id: string
  readonly scopes: readonly Scope[]
  /** The only project that the caller may use; null: any. */
  readonly project: string | null
  /** For a client that signed in: the scopes that its owner can grant. Undefined for keys. */
  readonly grantable?: readonly Scope[]
}

/** MCP hints that tell a client what a call does (Model Context Protocol 2026-07-28, ToolAnnotations). */
export interface Annotations {
  readonly readOnlyHint: boolean
  readonly destructiveHint?: boolean
  readonly idempotentHint?: boolean
  readonly openWorldHint?: boolean
}

/** Reads only. */
export const READS: Annotations = { readOnlyHint: true, openWorldHint: false }
/** Adds data. Calling it twice may add twice. */
export const ADDS: Annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: false,
}
/** Sets a value. Calling it twice has the same effect as calling it once. */
export const SETS: Annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}
/** Removes data permanently. */
export const REMOVES: Annotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: true,
  openWorldHint: false,
}

/** One REST route of an operation. */
export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path with parameters in braces, `/session/{session_id}`; parameters are input fields. */
  readonly path: string
  /** Other names under which this route takes input fields: `{ prompt: 'query' }`. */
  readonly rename?: Readonly<Record<string, string>>
  /** Media type of an answer that isn't JSON. The output's field `text` becomes the body. */
  readonly as?: string
  /** Status of an answer that reports work in progress. Default: 200. */
  readonly status?: 202
  /** A boolean field of the output. While it is false, the answer has status 503. */
  readonly available?: string
}

export interface Operation<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  /** Tool name, snake_case. */
  readonly name: string
  readonly group: Group
  readonly title: string
  /** What the operation does and when to use it, written for a model that chooses tools. */
  readonly description: string
  readonly scope: Scope
  readonly annotations: Annotations
  /**
   * Where the operation is available. `rest`: not offered as a tool, so that a model misled by what it read can't call
   * it. Default: everywhere.
   */
  readonly offeredTo?: 'rest'
  /**
   * The input is not redacted, because it restores what was redacted when it was first stored, byte for byte. Default:
   * it is.
   */
  readonly verbatim?: true
  /** REST routes. The first one is canonical. */
  readonly http: readonly [HttpRoute, ...HttpRoute[]]
  readonly input: I
  readonly output: O
  /**
   * The part of the output that a model needs. MCP returns it to save tokens; REST returns the full output. Default:
   * the full output.
   */
  brief?(output: z.input<O>): object | Promise<object>
  run(services: Services, input: z.output<I>, caller: Caller): Promise<z.input<O>>
}

/** Declares an operation, with its types inferred from its schemas. */
export function operation<I extends z.ZodObject, O extends z.ZodObject>(value: Operation<I, O>): Operation<I, O> {
  return value
}

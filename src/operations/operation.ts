/**
 * What an operation is: one value that every surface (MCP, REST, OpenAPI, documentation) is made from.
 * @module
 */
import type * as z from 'zod'
import type { Scope } from '../database/schema.ts'
import type { Services } from '../services.ts'

export type { Scope }

/** The groups of operations, in the order in which documentation shows them. OpenAPI tags and tool sets follow from them. */
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

/** Who is calling; made by the surface from the key that was presented. */
export interface Caller {
  /** Stable id of the key, `open` for the loopback without a key. */
  readonly id: string
  readonly scopes: readonly Scope[]
  /** The only project that the caller may use; null: any. */
  readonly project: string | null
  /** Of a client that signed in: the scopes that its owner can allow. Left out for keys. */
  readonly grantable?: readonly Scope[]
}

/** MCP's hints to a client about what a call does (Model Context Protocol 2026-07-28, ToolAnnotations). */
export interface Annotations {
  readonly readOnlyHint: boolean
  readonly destructiveHint?: boolean
  readonly idempotentHint?: boolean
  readonly openWorldHint?: boolean
}

/** Reads only. */
export const READS: Annotations = { readOnlyHint: true, openWorldHint: false }
/** Adds; calling twice may add twice. */
export const ADDS: Annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: false,
}
/** Sets; calling twice is like calling once. */
export const SETS: Annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}
/** Removes for good. */
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
  /** Media type of an answer that isn't JSON: the output's field `text` becomes the whole body. */
  readonly as?: string
  /** Status of an answer that only says what was begun. Left out: 200. */
  readonly status?: 202
  /** A boolean field of the output: while it is false, the answer has the status 503. */
  readonly available?: string
}

export interface Operation<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> {
  /** Tool name, snake_case. */
  readonly name: string
  readonly group: Group
  readonly title: string
  /** What it does and when to use it, for a model that chooses tools. */
  readonly description: string
  readonly scope: Scope
  readonly annotations: Annotations
  /**
   * Who is offered it. `rest`: not a tool, because a model that was misled by what it read must not be able to call it.
   * Left out: everybody.
   */
  readonly offeredTo?: 'rest'
  /** REST routes, the first one canonical. */
  readonly http: readonly [HttpRoute, ...HttpRoute[]]
  readonly input: I
  readonly output: O
  /**
   * What a model needs of the output: MCP answers this, where every token is paid for, REST the whole output. Left out: all of it.
   */
  brief?(output: z.input<O>): object | Promise<object>
  run(services: Services, input: z.output<I>, caller: Caller): Promise<z.input<O>>
}

/** Declares an operation, with its types inferred from its schemas. */
export function operation<I extends z.ZodObject, O extends z.ZodObject>(value: Operation<I, O>): Operation<I, O> {
  return value
}

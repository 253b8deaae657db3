/** A table of operations for tests of the surfaces, and an application with it. */
import { env } from 'cloudflare:workers'
import * as z from 'zod'
import { openDatabase } from '../../src/database/database.ts'
import type { Env } from '../../src/env.ts'
import { CoordinatorError, notFound } from '../../src/errors.ts'

import { ADDS, type Operation, operation, READS } from '../../src/operations/operation.ts'

import type { Services } from '../../src/services.ts'
import { readSettings } from '../../src/settings.ts'
import { createApp } from '../../src/transports/app.ts'

const project = z.string().max(64).default('default')

export const SMALL_TABLE: readonly Operation[] = [
  operation({
    name: 'route_query',
    group: 'context',
    title: 'Route',
    description: 'Echoes what it was given.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'POST', path: '/query', rename: { prompt: 'query' } }],
    input: z.strictObject({ project, query: z.string().min(1).max(1000), limit: z.int().min(1).max(100).default(5) }),
    output: z.object({ query: z.string(), limit: z.int(), project: z.string(), caller: z.string() }),
    run: async (_, input, caller) => ({ ...input, caller: caller.id }),
  }),
  operation({
    name: 'augment_query',
    group: 'context',
    title: 'Augment',
    description: 'Puts context under a query.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'POST', path: '/augment_query' }],
    input: z.strictObject({ project, query: z.string().min(1) }),
    output: z.object({ augmented_prompt: z.string(), context_ids: z.array(z.string()) }),
    run: async (_, input) => ({ augmented_prompt: `${input.query}\n\nNo context.`, context_ids: [] }),
  }),
  operation({
    name: 'list_things',
    group: 'context',
    title: 'List',
    description: 'Takes every kind of query parameter.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'GET', path: '/things' }],
    input: z.strictObject({
      project,
      limit: z.int().min(1).max(100).default(5),
      threshold: z.number().min(0).max(1).optional(),
      whole: z.boolean().optional(),
      tags: z.array(z.string()).optional(),
      numbers: z.array(z.int()).optional(),
      filter: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
      either: z.union([z.int(), z.string()]).optional(),
    }),
    output: z.object({ input: z.record(z.string(), z.unknown()) }),
    run: async (_, input) => ({ input }),
  }),
  operation({
    name: 'get_thing',
    group: 'context',
    title: 'Get',
    description: 'Takes a path parameter.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'GET', path: '/things/{id}' }],
    input: z.strictObject({ project, id: z.string().max(50) }),
    output: z.object({ id: z.string() }),
    run: async (_, { id }) => {
      if (id === 'none') throw notFound('thing', 'id', 'List them.')
      return { id }
    },
  }),
  operation({
    name: 'latest_thing',
    group: 'context',
    title: 'Latest',
    description: 'Has a path that a parameter of another route would match too.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'GET', path: '/things/latest' }],
    input: z.strictObject({}),
    output: z.object({ latest: z.boolean() }),
    run: async () => ({ latest: true }),
  }),
  operation({
    name: 'rate_interaction',
    group: 'context',
    title: 'Rate',
    description: 'Takes a path parameter and a body.',
    scope: 'write',
    annotations: ADDS,
    http: [{ method: 'POST', path: '/feedback/{interaction_id}' }],
    input: z.strictObject({ project, interaction_id: z.string(), rating: z.int() }),
    output: z.object({ interaction_id: z.string(), rating: z.int() }),
    run: async (_, { interaction_id, rating }) => ({ interaction_id, rating }),
  }),
  operation({
    name: 'learning_feedback',
    group: 'context',
    title: 'Correct',
    description: 'Takes a correction.',
    scope: 'learn',
    annotations: ADDS,
    http: [{ method: 'POST', path: '/learning_feedback' }],
    input: z.strictObject({ project, query: z.string(), correction: z.string() }),
    output: z.object({ feedback_id: z.string() }),
    run: async () => ({ feedback_id: 'f' }),
  }),
  operation({
    name: 'update_outcome',
    group: 'context',
    title: 'Outcome',
    description: 'Takes an outcome.',
    scope: 'learn',
    annotations: ADDS,
    http: [{ method: 'POST', path: '/update_outcome' }],
    input: z.strictObject({ project, interaction_id: z.string(), outcome: z.enum(['success', 'partial', 'failure']) }),
    output: z.object({ status: z.string() }),
    run: async () => ({ status: 'updated' }),
  }),
  operation({
    name: 'health',
    group: 'context',
    title: 'Health',
    description: 'Needs no key.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'GET', path: '/health' }],
    input: z.strictObject({}),
    output: z.object({ status: z.string() }),
    run: async () => ({ status: 'ok' }),
  }),
  operation({
    name: 'metrics',
    group: 'context',
    title: 'Metrics',
    description: 'Answers as text.',
    scope: 'read',
    annotations: READS,
    http: [{ method: 'GET', path: '/metrics', as: 'text/plain; version=0.0.4' }],
    input: z.strictObject({}),
    output: z.object({ text: z.string() }),
    run: async () => ({ text: 'up 1\n' }),
  }),
  operation({
    name: 'fail',
    group: 'context',
    title: 'Fail',
    description: 'Fails in the way it is asked to.',
    scope: 'admin',
    annotations: READS,
    http: [{ method: 'POST', path: '/fail' }],
    input: z.strictObject({ how: z.enum(['fault', 'database', 'engine', 'limited']) }),
    output: z.object({}),
    run: async (_, { how }) => {
      if (how === 'database') throw new Error('Failed query: select secret from t\nparams: hunter2')
      if (how === 'engine') throw new CoordinatorError('engine_unavailable', 'The model server does not answer.')
      if (how === 'limited') throw new CoordinatorError('rate_limited', 'Too many requests.', { retryAfter: 7.2 })
      throw new TypeError('x is undefined')
    },
  }),
]

/** Services with only the settings, the database and the datasets. */
function smallServices(bindings: Env): Services {
  return {
    settings: readSettings({}),
    database: openDatabase(bindings.DB),
    datasets: bindings.DATASETS,
  } as unknown as Services
}

export const KEY = 'a-key-for-the-tests-of-surfaces'

export const smallApp = createApp(smallServices, SMALL_TABLE)

/** Sends a request to the small application, without a key unless set in the bindings. */
export async function send(path: string, init: RequestInit = {}, variables: Partial<Env> = {}): Promise<Response> {
  const request = new Request(path.startsWith('http') ? path : `http://localhost${path}`, init)
  return smallApp.fetch(request, { ...env, ...variables })
}

/** Posts JSON to the small application. */
export function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return send(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

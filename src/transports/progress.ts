/**
 * The progress of a project's background work as server-sent events: pending and running jobs by kind, and items
 * without vectors.
 * @module
 */
import type { Hono } from 'hono'
import * as z from 'zod'
import { countJobs } from '../database/queries/jobs.ts'
import { CoordinatorError } from '../errors.ts'
import { COLLECTION_NAMES } from '../knowledge/collections.ts'
import { project } from '../operations/fields.ts'
import { holds, parseInput } from '../operations/invoke.ts'
import type { Services } from '../services.ts'
import type { AppContext, AppEnv } from './context.ts'

export const PROGRESS_PATH = '/learning/progress'

/** Interval between two updates, and the maximum duration of one stream, in milliseconds. */
const INTERVAL_MS = 2_000
const LONGEST_MS = 300_000

const input = z.strictObject({ project })

/** The current background work. */
export interface Progress {
  /** Pending and running jobs, by kind. */
  readonly jobs: Readonly<Record<string, number>>
  readonly items: number
  /** Items with a vector. Other items can only be found by keyword. */
  readonly with_vector: number
}

/** Adds the stream. It ends when there is no more work, or after five minutes. */
export function mountProgress(app: Hono<AppEnv>): void {
  app.get(PROGRESS_PATH, progress)
}

function progress(c: AppContext): Response {
  const { caller } = c.var
  if (!holds(caller, 'read')) {
    throw new CoordinatorError('forbidden', 'This key lacks the scope "read".', {
      hint: 'Use a key with the scope "read".',
    })
  }
  const own = caller.project === null ? {} : { project: caller.project }
  const wanted = parseInput(input, { ...own, ...Object.fromEntries(new URL(c.req.url).searchParams) }).project
  if (caller.project !== null && wanted !== caller.project)
    throw new CoordinatorError('forbidden', 'This key is bound to another project.', { field: 'project' })
  return new Response(events(c.var.services(), wanted), {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  })
}

/** One event per change. Comments in between reveal whether the client has disconnected. */
function events(services: Services, wanted: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const until = services.now() + LONGEST_MS
  let last = ''
  return new ReadableStream({
    async pull(controller) {
      if (last !== '') await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS))
      const now = await progressOf(services, wanted)
      const data = JSON.stringify(now)
      controller.enqueue(encoder.encode(data === last ? ':\n\n' : `data: ${data}\n\n`))
      last = data
      if (!isBusy(now) || services.now() >= until) controller.close()
    },
  })
}

const isBusy = ({ jobs, items, with_vector: vectors }: Progress) => Object.keys(jobs).length > 0 || vectors < items

/** The current background work of a project. */
async function progressOf({ database, knowledge }: Services, wanted: string): Promise<Progress> {
  const [jobs, ...collections] = await Promise.all([
    countJobs(database, wanted),
    ...COLLECTION_NAMES.map((collection) => knowledge.statistics({ project: wanted, collection })),
  ])
  const waiting = jobs.filter(({ status }) => status === 'pending' || status === 'running')
  return {
    jobs: Object.fromEntries(
      [...Map.groupBy(waiting, ({ kind }) => kind)].map(([kind, list]) => [
        kind,
        list.reduce((sum, { count }) => sum + count, 0),
      ]),
    ),
    items: collections.reduce((sum, { items }) => sum + items, 0),
    with_vector: collections.reduce((sum, { withVector }) => sum + withVector, 0),
  }
}

import * as z from 'zod'
import { countJobs } from '../../database/queries/jobs.ts'
import { runDueJobs } from '../../jobs/run-job.ts'
import { limit, project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Runs due background jobs now. */
export const processLearning = operation({
  name: 'process_learning',
  group: 'administration',
  title: 'Process the learning queue now',
  description:
    'Run due background jobs of a project now instead of waiting for the queue, and report the results by kind.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/learning/process' }],
  input: z.strictObject({
    project,
    limit: limit(30, 60).describe('Maximum number of jobs to run in this call.'),
  }),
  output: z.object({
    ran: z.int(),
    paused: z.boolean().describe('Background work is switched off; nothing ran.'),
    kinds: z.array(
      z.object({
        kind: z.string(),
        done: z.int(),
        unfinished: z.int().describe('More to do than one call may; goes on by itself.'),
        waiting: z.int().describe('Not ready yet; comes again by itself.'),
        failed: z.int().describe('Comes again after a backoff.'),
        dead: z.int().describe('Out of attempts; needs retry_job.'),
        left: z.int().describe('Still pending or running now.'),
      }),
    ),
  }),
  async run(services, input) {
    const { ran, paused, kinds } = await runDueJobs(services, input.project, input.limit)
    const left = new Map<string, number>()
    for (const { kind, status, count } of await countJobs(services.database, input.project)) {
      if (status === 'pending' || status === 'running') left.set(kind, (left.get(kind) ?? 0) + count)
    }
    const names = [...new Set([...kinds.keys(), ...left.keys()])].sort()
    return {
      ran,
      paused,
      kinds: names.map((kind) => ({
        kind,
        ...(kinds.get(kind) ?? { done: 0, unfinished: 0, waiting: 0, failed: 0, dead: 0 }),
        left: left.get(kind) ?? 0,
      })),
    }
  },
})

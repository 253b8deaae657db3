import * as z from 'zod'
import { listJobs as list } from '../../database/queries/jobs.ts'
import { JOB_KIND_NAMES } from '../../jobs/job-kinds.ts'
import { jobOutput, jobStatus, presentJob } from '../../jobs/job-output.ts'
import { cursor, limit, project, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Lists background jobs of a project, newest first. */
export const listJobs = operation({
  name: 'list_jobs',
  group: 'administration',
  title: 'List background jobs',
  description: 'List background jobs, newest first. Jobs with status dead ran out of attempts; they name the error.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/jobs' }],
  input: z.strictObject({
    project,
    status: jobStatus.optional().describe('Only jobs with this status.'),
    kind: z.enum(JOB_KIND_NAMES).optional().describe('Only jobs of this kind.'),
    limit: limit(20),
    cursor: cursor.pipe(uuid).optional().describe('next_cursor of the previous page.'),
  }),
  output: z.object({ jobs: z.array(jobOutput), next_cursor: z.string().nullable() }),
  async run({ database }, input) {
    const rows = await list(database, input, input.cursor ?? null, input.limit)
    const page = rows.slice(0, input.limit)
    return {
      jobs: page.map(presentJob),
      next_cursor: rows.length > input.limit ? (page.at(-1)?.id ?? null) : null,
    }
  },
})

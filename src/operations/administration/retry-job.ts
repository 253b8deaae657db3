import * as z from 'zod'
import { findJob, reviveJob } from '../../database/queries/jobs.ts'
import { CoordinatorError, notFound } from '../../errors.ts'
import { jobOutput, presentJob } from '../../jobs/job-output.ts'
import { uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Resets the attempts of a dead or discarded job and queues it again. */
export const retryJob = operation({
  name: 'retry_job',
  group: 'administration',
  title: 'Retry a job',
  description:
    'Retry a background job that ran out of attempts or was discarded. It gets its full number of attempts again.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/learning/jobs/{job_id}/retry' }],
  input: z.strictObject({ job_id: uuid.describe('job_id of list_jobs.') }),
  output: jobOutput,
  async run(services, input, caller) {
    const before = await findJob(services.database, input.job_id, caller.project)
    if (!before) throw notFound('job', 'job_id')
    const revived = await reviveJob(services.database, before.id, services.now())
    if (revived) await services.enqueueJobs([before.id]).catch(() => undefined)
    const after = (await findJob(services.database, before.id, null)) ?? before
    if (!revived && after.status === 'done') {
      throw new CoordinatorError('conflict', 'This job is done.', {
        field: 'job_id',
        hint: 'Only dead or discarded jobs are retried.',
      })
    }
    return presentJob(after)
  },
})

import * as z from 'zod'
import { discardJob as discard, findJob } from '../../database/queries/jobs.ts'
import { CoordinatorError, notFound } from '../../errors.ts'
import { jobOutput, presentJob } from '../../jobs/job-output.ts'
import { uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Discards a waiting or dead job. */
export const discardJob = operation({
  name: 'discard_job',
  group: 'administration',
  title: 'Discard a job',
  description: 'Discard a waiting or dead background job. It stays listed as discarded; retry_job restores it.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/learning/jobs/{job_id}/discard' }],
  input: z.strictObject({ job_id: uuid.describe('job_id of list_jobs.') }),
  output: jobOutput,
  async run(services, input, caller) {
    const before = await findJob(services.database, input.job_id, caller.project)
    if (!before) throw notFound('job', 'job_id')
    await discard(services.database, before.id, services.now())
    const after = (await findJob(services.database, before.id, null)) ?? before
    if (after.status !== 'discarded') {
      throw new CoordinatorError('conflict', `This job is ${after.status}.`, {
        field: 'job_id',
        hint: 'Only waiting or dead jobs are discarded.',
      })
    }
    return presentJob(after)
  },
})

import * as z from 'zod'
import { findJob } from '../../database/queries/jobs.ts'
import { notFound } from '../../errors.ts'
import { jobDetail, presentJobDetail } from '../../jobs/job-output.ts'
import { uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Returns one background job with its progress and result. */
export const getJob = operation({
  name: 'get_job',
  group: 'administration',
  title: 'Get a background job',
  description:
    'Get a background job by its id: its status, how far it is, and its result once it is done. Exports, checks of datasets and trainings ' +
    'are such jobs.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/jobs/{job_id}' }],
  input: z.strictObject({ job_id: uuid.describe('job_id of the call that started it, or of list_jobs.') }),
  output: jobDetail,
  async run({ database }, input, caller) {
    const job = await findJob(database, input.job_id, caller.project)
    if (!job) throw notFound('job', 'job_id')
    return presentJobDetail(job)
  },
})

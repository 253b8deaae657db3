import * as z from 'zod'
import { startRouterTraining } from '../../jobs/dataset-jobs.ts'
import { jobDetail, presentJobDetail } from '../../jobs/job-output.ts'
import { project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Trains the router immediately. */
export const trainRouterNow = operation({
  name: 'train_router',
  group: 'routing',
  title: 'Train the router now',
  description:
    'Train the router now on every outcome reported so far, for example after an import. Starts a background job; when it is done, ' +
    'get_job tells how much better than the plain success rate the router predicts held-out outcomes of each model.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/routing/train', status: 202 }],
  input: z.strictObject({ project }),
  output: jobDetail,
  run: async (services, input) => presentJobDetail(await startRouterTraining(services, input.project)),
})

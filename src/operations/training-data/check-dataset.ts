import * as z from 'zod'
import { findDataset } from '../../database/queries/exports.ts'
import { notFound } from '../../errors.ts'
import { startCheck } from '../../jobs/dataset-jobs.ts'
import { jobDetail, presentJobDetail } from '../../jobs/job-output.ts'
import { uuid } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Checks whether the rows of a dataset would still be exported today. */
export const checkDataset = operation({
  name: 'check_dataset',
  group: 'training-data',
  title: 'Check a dataset',
  description:
    'Find the rows of a dataset that would not be exported today because of a later outcome, rating or correction. Starts a background ' +
    'job; get_job then tells how many, why, and the first 1,000. generate_training_data creates a clean version.',
  scope: 'read',
  annotations: SETS,
  http: [{ method: 'POST', path: '/learning/datasets/{dataset_id}/check', status: 202 }],
  input: z.strictObject({ dataset_id: uuid.describe('dataset_id of generate_training_data or list_datasets.') }),
  output: jobDetail,
  async run(services, input, caller) {
    const dataset = await findDataset(services.database, input.dataset_id, caller.project)
    if (!dataset) throw notFound('dataset', 'dataset_id')
    return presentJobDetail(await startCheck(services, dataset))
  },
})

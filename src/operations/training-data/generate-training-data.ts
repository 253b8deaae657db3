import { z } from 'zod'
import { Budget, budgetHere, inBudget } from '../../budget.ts'
import { findJob } from '../../database/queries/jobs.ts'
import { startExport } from '../../jobs/dataset-jobs.ts'
import { jobDetail, presentJobDetail } from '../../jobs/job-output.ts'
import { runJob } from '../../jobs/run-job.ts'
import { operation, SETS } from '../operation.ts'
import { datasetInput, exportSettings } from './dataset-input.ts'

/**
 * How long an export may take before its request is answered, in milliseconds. A larger export continues as a
 * background job.
 */
const AT_ONCE_MS = 4_000

/** The properties of a dataset that are known once its export is complete. */
const dataset = z
  .object({
    dataset_id: z.string(),
    dataset_path: z.string(),
    download_url: z.string(),
    rows: z.int(),
    skipped: z.record(z.string(), z.int()).describe('Rows that were left out, by reason.'),
  })
  .partial()

/** Exports good interactions and corrections as a fine-tuning dataset. */
export const generateTrainingData = operation({
  name: 'generate_training_data',
  group: 'training-data',
  title: 'Generate a fine-tuning dataset',
  description:
    'Export the interactions worth learning from (successful, highly scored, not disliked) and the corrections as a JSON Lines ' +
    'dataset for fine-tuning. Returns the download path, the number of rows, and what was skipped. ' +
    'A large export continues as a job: see get_job.',
  scope: 'learn',
  annotations: SETS,
  http: [
    { method: 'POST', path: '/generate_training_data', status: 202 },
    { method: 'POST', path: '/learning/export', status: 202 },
  ],
  input: datasetInput,
  output: jobDetail.extend(dataset.shape),
  async run(services, input) {
    const started = await startExport(services, exportSettings(input, services.settings.HIGH_VALUE_THRESHOLD))
    const budget = new Budget({ ...budgetHere().limits, ms: AT_ONCE_MS })
    const run = await inBudget(budget, () => runJob(services, started.id)).catch(() => null)
    if (run?.status !== 'done') await services.enqueueJobs([started.id]).catch(() => undefined)
    const job = presentJobDetail((await findJob(services.database, started.id, null)) ?? started)
    return { ...job, ...dataset.parse(job.result ?? {}) }
  },
})

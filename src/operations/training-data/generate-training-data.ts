import { startExport } from '../../jobs/dataset-jobs.ts'
import { jobDetail, presentJobDetail } from '../../jobs/job-output.ts'
import { operation, SETS } from '../operation.ts'
import { datasetInput, exportSettings } from './dataset-input.ts'

/** Exports good interactions and corrections as a fine-tuning dataset. */
export const generateTrainingData = operation({
  name: 'generate_training_data',
  group: 'training-data',
  title: 'Generate a fine-tuning dataset',
  description:
    'Export the interactions worth learning from (successful, highly scored, not disliked) and the corrections as a JSON Lines ' +
    'dataset for fine-tuning. Starts a background job; get_job tells its progress and, when it is done, the download path, the number of ' +
    'rows, and what was skipped and why.',
  scope: 'learn',
  annotations: SETS,
  http: [
    { method: 'POST', path: '/generate_training_data', status: 202 },
    { method: 'POST', path: '/learning/export', status: 202 },
  ],
  input: datasetInput,
  output: jobDetail,
  async run(services, input) {
    const settings = exportSettings(input, services.settings.HIGH_VALUE_THRESHOLD)
    return presentJobDetail(await startExport(services, settings))
  },
})

import * as z from 'zod'
import { exportDataset } from '../../training-data/export.ts'
import { operation, SETS } from '../operation.ts'
import { datasetInput, exportSettings } from './dataset-input.ts'
import { datasetOutput, presentDataset } from './dataset-output.ts'

/** Exports good interactions and corrections as a fine-tuning dataset. */
export const generateTrainingData = operation({
  name: 'generate_training_data',
  group: 'training-data',
  title: 'Generate a fine-tuning dataset',
  description:
    'Export the interactions worth learning from (successful, highly scored, not disliked) and the corrections as a JSON Lines ' +
    'dataset for fine-tuning. Returns the download path, the number of rows, and what was skipped and why.',
  scope: 'learn',
  annotations: SETS,
  http: [
    { method: 'POST', path: '/generate_training_data' },
    { method: 'POST', path: '/learning/export' },
  ],
  input: datasetInput,
  output: datasetOutput.extend({
    status: z.enum(['created', 'unchanged']).describe('unchanged: the same dataset was there already.'),
  }),
  async run(services, input) {
    const settings = exportSettings(input, services.settings.HIGH_VALUE_THRESHOLD)
    const { dataset, created } = await exportDataset(services, settings)
    return { ...presentDataset(dataset), status: created ? ('created' as const) : ('unchanged' as const) }
  },
})

import * as z from 'zod'
import { previewDataset } from '../../training-data/preview.ts'
import { operation, READS } from '../operation.ts'
import { datasetInput, exportSettings } from './dataset-input.ts'

/** Returns what an export would contain, without creating it. */
export const previewTrainingData = operation({
  name: 'preview_training_data',
  group: 'training-data',
  title: 'Preview a fine-tuning dataset',
  description:
    'Count the rows that generate_training_data would export with the same input, and what it would skip and why, and show the ' +
    'first of them. Nothing is written.',
  scope: 'read',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/learning/export/preview' }],
  input: datasetInput,
  output: z.object({
    rows: z.int(),
    skipped: z.record(z.string(), z.int()).describe('Interactions that would not be taken, by reason.'),
    examples: z.array(z.string()).describe('The first three rows, as they would stand in the file.'),
    complete: z.boolean().describe('False: there was more to read than one request may; there may be more rows.'),
  }),
  run: (services, input) => previewDataset(services, exportSettings(input, services.settings.HIGH_VALUE_THRESHOLD)),
})

import * as z from 'zod'
import { findDataset } from '../../database/queries/exports.ts'
import { notFound } from '../../errors.ts'
import { findWithdrawn } from '../../training-data/check.ts'
import { limit, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'

/** Whether the rows of a dataset would still be exported today. */
export const checkDataset = operation({
  name: 'check_dataset',
  group: 'training-data',
  title: 'Check a dataset',
  description:
    'List the rows of a dataset that would not be exported today because of a later outcome, rating or correction. ' +
    'generate_training_data with the same settings creates a clean version.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/datasets/{dataset_id}/check' }],
  input: z.strictObject({
    dataset_id: uuid.describe('dataset_id of generate_training_data or list_datasets.'),
    limit: limit(100, 1000).describe('Maximum number of withdrawn rows to list.'),
    offset: z.int().min(0).default(0).describe('Number of withdrawn rows to skip, for the next page.'),
  }),
  output: z.object({
    dataset_id: z.string(),
    rows: z.int(),
    withdrawn: z.int(),
    by_reason: z.record(z.string(), z.int()),
    examples: z.array(z.object({ id: z.string(), reason: z.string() })).describe('Those asked for, in order of id.'),
  }),
  async run(services, input, caller) {
    const dataset = await findDataset(services.database, input.dataset_id, caller.project)
    if (!dataset) throw notFound('dataset', 'dataset_id')
    const withdrawn = await findWithdrawn(services, dataset)
    const by_reason: Record<string, number> = {}
    for (const { reason } of withdrawn) by_reason[reason] = (by_reason[reason] ?? 0) + 1
    return {
      dataset_id: dataset.id,
      rows: dataset.rows,
      withdrawn: withdrawn.length,
      by_reason,
      examples: withdrawn.slice(input.offset, input.offset + input.limit).map(({ id, reason }) => ({ id, reason })),
    }
  },
})

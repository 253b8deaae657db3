import * as z from 'zod'
import { findDataset, forgetDataset } from '../../database/queries/exports.ts'
import { notFound } from '../../errors.ts'
import { companionKeys } from '../../training-data/datasheet.ts'
import { uuid } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'

/** Deletes a dataset's files and its entry. */
export const deleteDataset = operation({
  name: 'delete_dataset',
  group: 'training-data',
  title: 'Delete a dataset',
  description: 'Delete an exported dataset permanently. The interactions it was made from are kept.',
  scope: 'learn',
  annotations: REMOVES,
  http: [{ method: 'DELETE', path: '/learning/datasets/{dataset_id}' }],
  input: z.strictObject({ dataset_id: uuid.describe('dataset_id of generate_training_data or list_datasets.') }),
  output: z.object({ dataset_id: z.string(), status: z.literal('deleted') }),
  async run({ database, datasets }, input, caller) {
    const dataset = await findDataset(database, input.dataset_id, caller.project)
    if (!dataset) throw notFound('dataset', 'dataset_id')
    // Delete the file first: an entry without a file can be deleted again, but a file without an entry could not be
    // found.
    const { sheet, lineage } = companionKeys(dataset.key)
    await datasets.delete([dataset.key, sheet, lineage])
    await forgetDataset(database, dataset.id)
    return { dataset_id: dataset.id, status: 'deleted' as const }
  },
})

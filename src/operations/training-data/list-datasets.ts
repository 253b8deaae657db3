import * as z from 'zod'
import { listDatasets as list } from '../../database/queries/exports.ts'
import { presentDataset } from '../../training-data/dataset-view.ts'
import { cursor, limit, project, uuid } from '../fields.ts'
import { operation, READS } from '../operation.ts'
import { datasetOutput } from './dataset-output.ts'

/** Lists datasets of a project, newest first. */
export const listDatasets = operation({
  name: 'list_datasets',
  group: 'training-data',
  title: 'List datasets',
  description: 'List exported fine-tuning datasets, newest first, with rows, size, hash, filters and download path.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/learning/datasets' }],
  input: z.strictObject({
    project,
    limit: limit(20),
    cursor: cursor.pipe(uuid).optional().describe('next_cursor of the previous page.'),
  }),
  output: z.object({ datasets: z.array(datasetOutput), next_cursor: z.string().nullable() }),
  async run({ database }, input) {
    const rows = await list(database, input.project, input.cursor ?? null, input.limit)
    const page = rows.slice(0, input.limit)
    return {
      datasets: page.map(presentDataset),
      next_cursor: rows.length > input.limit ? (page.at(-1)?.id ?? null) : null,
    }
  },
})

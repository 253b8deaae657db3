/**
 * A dataset, as returned to callers.
 * @module
 */
import * as z from 'zod'

export const datasetOutput = z.object({
  dataset_id: z.string(),
  dataset_path: z.string().describe('Key in the R2 bucket.'),
  download_url: z.string().describe('Path under which this coordinator serves the file.'),
  format: z.string(),
  rows: z.int(),
  bytes: z.int(),
  sha256: z.string().describe('Of the file, hex.'),
  filters: z.record(z.string(), z.unknown()).describe('The settings that the file was made with.'),
  skipped: z.record(z.string(), z.int()).describe('Interactions that were not taken, by reason.'),
  sheet: z
    .record(z.string(), z.unknown())
    .describe('Token total (measured or estimated), replaced credentials by kind, sources, licence.'),
  created_at: z.number().describe('Milliseconds since 1970.'),
})

/**
 * The input fields that describe a dataset.
 * @module
 */
import * as z from 'zod'
import { line } from '../../knowledge/text-fields.ts'
import { SPLITS } from '../../training-data/examples.ts'
import { DATASET_FORMATS } from '../../training-data/formats.ts'
import { DEFAULT_SYSTEM_PROMPT, type ExportSettings } from '../../training-data/settings.ts'
import { agentType, outcome, project, tags, timestamp } from '../fields.ts'

export const datasetInput = z.strictObject({
  project,
  format: z
    .enum(DATASET_FORMATS)
    .default('openai-chat')
    .describe(
      'openai-chat, sharegpt and alpaca contain answers, dpo pairs of corrected and original answer, kto answers with a verdict.',
    ),
  outcome: outcome.default('success').describe('Outcome that an answer must have. Ignored for dpo and kto.'),
  min_value_score: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('Minimum value score, 0 to 1. Left out: HIGH_VALUE_THRESHOLD; for kto any score.'),
  since: timestamp.optional().describe('Created at or after this time, in milliseconds since 1970.'),
  until: timestamp.optional().describe('Created before this time, in milliseconds since 1970.'),
  agent_type: agentType.optional().describe('Only answers of this kind of agent.'),
  tags: tags.optional().describe('Only interactions with all of these tags.'),
  variant: line(100).optional().describe('Only interactions of this variant.'),
  include_corrections: z
    .boolean()
    .default(true)
    .describe('Whether to include corrections, as the right answer to their query.'),
  limit: z.int().min(1).max(1_000_000).optional().describe('Maximum number of rows. Left out: all.'),
  split: z
    .enum(SPLITS)
    .default('all')
    .describe('train and validation divide all rows between them; near-identical prompts stay on the same side.'),
  validation_share: z.number().min(0).max(0.5).default(0.1).describe('Share of rows for validation, 0 to 0.5.'),
  incremental: z
    .boolean()
    .default(false)
    .describe('Only rows that no earlier dataset of this project with the same settings contains.'),
  thinking: z
    .enum(['cut', 'keep'])
    .default('cut')
    .describe(
      'Whether thinking sections are cut from answers or kept. The datasheet counts the answers that had some.',
    ),
  license: line(200).optional().describe('License named in the datasheet, such as CC-BY-4.0.'),
  system_prompt: line(4000).default(DEFAULT_SYSTEM_PROMPT).describe('System message of every example.'),
})

/**
 * The settings of an export.
 * @param highValueThreshold default minimum value score of an answer, 0 to 1
 */
export function exportSettings(input: z.output<typeof datasetInput>, highValueThreshold: number): ExportSettings {
  return {
    project: input.project,
    format: input.format,
    outcome: input.outcome,
    minValueScore: input.min_value_score ?? (input.format === 'kto' ? null : highValueThreshold),
    since: input.since ?? null,
    until: input.until ?? null,
    agentType: input.agent_type ?? null,
    tags: [...new Set(input.tags ?? [])],
    variant: input.variant ?? null,
    includeCorrections: input.include_corrections,
    limit: input.limit ?? null,
    systemPrompt: input.system_prompt,
    split: input.split,
    validationShare: input.split === 'all' ? 0 : input.validation_share,
    incremental: input.incremental,
    license: input.license ?? null,
    thinking: input.thinking,
  }
}

/**
 * How routing estimates look in every answer.
 * @module
 */
import * as z from 'zod'
import type { SuccessEstimate } from '../routing/model-choice.ts'

const probability = z.number().min(0).max(1)

export const estimateView = z.object({
  probability: probability.describe('Estimated chance of success.'),
  low: probability.describe('Lower end of the central 90 %.'),
  high: probability.describe('Upper end of the central 90 %.'),
  outcomes: z.int().min(0).describe('Reported outcomes that the estimate rests on.'),
  cold_start: z.boolean().describe('Too few outcomes to say more than the prior.'),
}) satisfies z.ZodType<SuccessEstimate>

export const gainView = z
  .number()
  .min(-1)
  .max(1)
  .describe('Chance that the remote model succeeds minus chance that the local one does.')

export const routerVersion = z.int().min(0).describe('Version of the trained router; 0: base rates only.')

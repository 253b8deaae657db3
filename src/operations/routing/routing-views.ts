/**
 * The format of routing estimates in every answer.
 * @module
 */
import * as z from 'zod'
import type { SuccessEstimate } from '../../routing/model-choice.ts'

const probability = z.number().min(0).max(1)

export const estimateView = z.object({
  probability: probability.describe('Estimated chance of success.'),
  low: probability.describe('Lower end of the central 90 %.'),
  high: probability.describe('Upper end of the central 90 %.'),
  outcomes: z.int().min(0).describe('Reported outcomes that the estimate rests on.'),
  cold_start: z.boolean().describe('Too few outcomes to say more than the prior.'),
}) satisfies z.ZodType<SuccessEstimate>

/** The decision behind an answer, with the fields that every kind of routing records. */
export const decisionView = z.object({
  decision_id: z.string(),
  route: z.string().describe('How was searched: sql, keyword, semantic or hybrid; chat: through the OpenAI endpoint.'),
  backend: z.string().describe('local, remote or database.'),
  cause: z.string().describe('Why: of the search, or of the server of a chat.'),
  model: z
    .object({
      cause: z.string(),
      threshold: probability,
      propensity: probability,
      local: estimateView,
      remote: estimateView,
    })
    .nullable()
    .describe('What the choice between the local and the remote model rested on; null: there was none to make.'),
  fallbacks: z.array(z.object({ from: z.string(), to: z.string(), reason: z.string() })),
})

/** A stored decision in the format of decisionView. */
export function viewDecision(row: {
  readonly id: string
  readonly route: string
  readonly backend: string
  readonly record: Readonly<Record<string, unknown>>
}): z.output<typeof decisionView> {
  const { id, route, backend, record } = row
  return decisionView.parse({ ...record, decision_id: id, route, backend })
}

export const gainView = z
  .number()
  .min(-1)
  .max(1)
  .describe('Chance that the remote model succeeds minus chance that the local one does.')

export const routerVersion = z.int().min(0).describe('Version of the trained router; 0: base rates only.')

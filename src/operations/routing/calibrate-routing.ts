import * as z from 'zod'
import { storeThreshold } from '../../database/queries/routing.ts'
import { invalidInput } from '../../errors.ts'
import { effectOf, type ThresholdEffect, thresholdForShare, thresholdForSuccess } from '../../routing/threshold.ts'
import { projectRouter } from '../../routing/trained-router.ts'
import { project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

const share = z.number().min(0).max(1)
const effect = z.object({
  threshold: share,
  local_share: share.nullable().describe('Share of queries that the local model would answer; null: not known.'),
  local_success: share.nullable().describe('Its expected share of successes among those; null: it answers none.'),
})

/** Finds the confidence threshold that meets a target. */
export const calibrateRouting = operation({
  name: 'calibrate_routing',
  group: 'routing',
  title: 'Calibrate the routing threshold',
  description:
    "Find the confidence threshold at which the local model answers a target share of a project's queries, or succeeds at a " +
    'target share of those it answers, from the outcomes so far. Changes nothing unless apply is set; then the project uses ' +
    'it instead of LOCAL_CONFIDENCE_THRESHOLD.',
  scope: 'admin',
  annotations: SETS,
  http: [{ method: 'POST', path: '/routing/calibrate' }],
  input: z.strictObject({
    project,
    target_local_share: share
      .optional()
      .describe('Share of queries that the local model should answer, 0 to 1. Give this or target_local_success.'),
    target_local_success: share
      .optional()
      .describe('Success rate that local answers should reach, 0 to 1. Give this or target_local_share.'),
    apply: z.boolean().default(false).describe('True: use the threshold from now on. False: only report it.'),
  }),
  output: z.object({
    current: effect,
    proposed: effect.nullable().describe('Null: the local model has fewer than 30 reported outcomes in this project.'),
    applied: z.boolean(),
    examples: z.int().describe('Outcomes of the local model that this rests on.'),
  }),
  async run(services, input) {
    const { target_local_share: wanted, target_local_success: success } = input
    if ((wanted === undefined) === (success === undefined)) {
      throw invalidInput('target_local_share', 'Give either target_local_share or target_local_success.', {
        hint: 'Give exactly one of the two targets.',
      })
    }
    const { router, threshold } = await projectRouter(services, input.project, 0)
    const current = threshold ?? services.settings.LOCAL_CONFIDENCE_THRESHOLD
    const side = router?.sides.local
    if (!side) {
      return {
        current: { threshold: current, local_share: null, local_success: null },
        proposed: null,
        applied: false,
        examples: 0,
      }
    }
    const proposed =
      wanted === undefined ? thresholdForSuccess(side.spectrum, success ?? 1) : thresholdForShare(side.spectrum, wanted)
    if (input.apply) await storeThreshold(services.database, input.project, proposed)
    const view = (at: number) => viewEffect(at, effectOf(side.spectrum, at))
    return { current: view(current), proposed: view(proposed), applied: input.apply, examples: side.examples }
  },
})

function viewEffect(threshold: number, { localShare, localSuccess }: ThresholdEffect) {
  return { threshold, local_share: localShare, local_success: localSuccess }
}

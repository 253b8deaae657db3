import * as z from 'zod'
import { readControls, readUse, setControls } from '../../database/queries/controls.ts'
import { CoordinatorError } from '../../errors.ts'
import { dayOf } from '../../patterns/generation-budget.ts'
import { operation, SETS } from '../operation.ts'

/** Sets the kill switch and the daily budget of background work. */
export const controlLearning = operation({
  name: 'control_learning',
  group: 'administration',
  title: 'Pause or limit background work',
  description:
    'Pause or resume all background work, and set how many model calls and tokens it may use per day (UTC). Takes effect at ' +
    'once. Fields that are left out keep their value; without any field it only reports.',
  scope: 'admin',
  annotations: SETS,
  http: [{ method: 'POST', path: '/learning/control' }],
  input: z.strictObject({
    paused: z.boolean().optional().describe('True: background jobs wait; none is lost.'),
    daily_calls: z.int().min(0).max(1_000_000).optional().describe('Maximum number of model calls per day; 0: none.'),
    daily_tokens: z
      .int()
      .min(0)
      .max(1_000_000_000)
      .optional()
      .describe('Maximum number of model tokens per day, prompt and answer; 0: none.'),
  }),
  output: z.object({
    paused: z.boolean(),
    daily_calls: z.int(),
    daily_tokens: z.int(),
    used_today: z.object({ calls: z.int(), tokens: z.int() }),
  }),
  async run(services, input, caller) {
    if (caller.project !== null) {
      throw new CoordinatorError(
        'forbidden',
        'This key is bound to one project; these settings apply to all projects.',
        {
          hint: 'Use a key that is not bound to a project.',
        },
      )
    }
    const { database } = services
    const change = { paused: input.paused, dailyCalls: input.daily_calls, dailyTokens: input.daily_tokens }
    const asked = Object.values(change).some((value) => value !== undefined)
    const { paused, dailyCalls, dailyTokens } = asked
      ? await setControls(database, change, caller.id, services.now())
      : await readControls(database)
    return {
      paused,
      daily_calls: dailyCalls,
      daily_tokens: dailyTokens,
      used_today: await readUse(database, dayOf(services.now())),
    }
  },
})

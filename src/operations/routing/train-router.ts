import * as z from 'zod'
import { routerStatus } from '../../database/queries/routing.ts'
import { CoordinatorError } from '../../errors.ts'
import { projectRouter, trainProjectRouter } from '../../routing/trained-router.ts'
import { project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'
import { routerVersion } from './routing-views.ts'

const side = z
  .object({
    examples: z.int().describe('Outcomes that it was learnt from.'),
    success_rate: z.number().min(0).max(1),
    mean_squared_error: z.number().describe('Of its probabilities, on outcomes that were held out; the Brier score.'),
    base_rate_error: z.number().describe('The same when every query is given the success rate.'),
  })
  .nullable()
  .describe('Null: too few outcomes to learn from.')

/** Trains the router now. */
export const trainRouterNow = operation({
  name: 'train_router',
  group: 'routing',
  title: 'Train the router now',
  description:
    'Train the router now on every outcome reported so far, for example after an import. Reports how much better than the plain ' +
    'success rate it predicts held-out outcomes of each model.',
  scope: 'learn',
  annotations: SETS,
  http: [{ method: 'POST', path: '/routing/train' }],
  input: z.strictObject({ project }),
  output: z.object({ version: routerVersion, examples: z.int(), local: side, remote: side }),
  async run(services, input) {
    if ((await trainProjectRouter(services, input.project)) === 'not_ready') {
      throw new CoordinatorError(
        'conflict',
        'The data of this project was changed by a deletion while the router was trained.',
        {
          field: 'project',
          hint: 'Train it again when the deletion is done; see GET /deletions.',
        },
      )
    }
    const [{ version, router }, after] = await Promise.all([
      projectRouter(services, input.project, 0),
      routerStatus(services.database, input.project),
    ])
    const view = (backend: 'local' | 'remote') => {
      const known = router?.sides[backend]
      if (!known) return null
      const rate = known.successes / known.examples
      return {
        examples: known.examples,
        success_rate: rate,
        mean_squared_error: known.noise,
        base_rate_error: known.spread,
      }
    }
    return { version, examples: after?.examples ?? 0, local: view('local'), remote: view('remote') }
  },
})

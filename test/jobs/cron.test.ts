import { createScheduledController } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import worker from '../../src/worker.ts'

const tick = (cron: string) => worker.scheduled(createScheduledController({ cron }), env)
const pruning = () => env.DB.prepare("SELECT count(*) AS n FROM jobs WHERE kind = 'prune_logs'").first('n')

it('the nightly work runs at the time in wrangler.toml, once a day, and not with each sweep', async () => {
  await tick('* * * * *')
  expect(await pruning()).toBe(0)
  await tick('5 1 * * *')
  expect(await pruning()).toBe(1)
  await tick('5 1 * * *')
  expect(await pruning()).toBe(1)
})

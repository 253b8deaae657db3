/**
 * Entry of the Worker: requests, queue batches and cron ticks. Wiring only.
 * @module
 */

import { Budget, inBudget, PLAN_LIMITS, withBudget } from './budget.ts'
import { buildServices } from './build-services.ts'
import type { Env } from './env.ts'
import { consume } from './jobs/consume.ts'
import { DEAD_LETTERS, keepDeadLetters } from './jobs/dead-letters.ts'
import type { JobMessage } from './jobs/message.ts'
import { archiveNightly, EVERY_MINUTE, exportNightly, pruneNightly } from './jobs/nightly.ts'
import { sweep } from './jobs/sweep.ts'
import { OPERATIONS } from './operations/index.ts'
import { readSettings } from './settings.ts'
import { createApp } from './transports/app.ts'
import { warmUp } from './warm-up.ts'

export { Conversation } from './conversation/conversation.ts'
export { KnowledgeIndex } from './knowledge/stores/knowledge-index.ts'
export { OAuthGrants } from './transports/oauth/grants.ts'

warmUp()

const app = createApp(buildServices, OPERATIONS)

/** Runs background work within the limits of the account's plan. */
function invocation<T>(env: Env, work: () => T): T {
  return inBudget(new Budget(PLAN_LIMITS[readSettings(env).PLAN]), work)
}

export default {
  fetch: (request: Request, env: Env, context: ExecutionContext) => withBudget(() => app.fetch(request, env, context)),
  async queue(batch, env) {
    await invocation(env, async () => {
      const services = buildServices(env)
      await (batch.queue.endsWith(DEAD_LETTERS) ? keepDeadLetters(batch, services) : consume(batch, services))
    })
  },
  async scheduled(controller, env) {
    await invocation(env, async () => {
      const services = buildServices(env)
      await sweep(services)
      if (controller.cron !== EVERY_MINUTE) {
        await exportNightly(services)
        await archiveNightly(services)
        await pruneNightly(services)
      }
    })
  },
} satisfies ExportedHandler<Env, JobMessage>

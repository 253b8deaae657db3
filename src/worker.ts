/**
 * Entry of the Worker: requests, queue batches and cron ticks. Wiring only.
 * @module
 */

import { buildServices } from './build-services.ts'
import type { Env } from './env.ts'
import { consume } from './jobs/consume.ts'
import { DEAD_LETTERS, keepDeadLetters } from './jobs/dead-letters.ts'
import type { JobMessage } from './jobs/message.ts'
import { archiveNightly, exportNightly, NIGHTLY, pruneNightly } from './jobs/nightly.ts'
import { sweep } from './jobs/sweep.ts'
import { OPERATIONS } from './operations/index.ts'
import { createApp } from './transports/app.ts'

export { Conversation } from './conversation/conversation.ts'
export { KnowledgeIndex } from './knowledge/stores/knowledge-index.ts'
export { OAuthGrants } from './transports/oauth/grants.ts'

const app = createApp(buildServices, OPERATIONS)

export default {
  fetch: app.fetch,
  async queue(batch, env) {
    const services = buildServices(env)
    await (batch.queue.endsWith(DEAD_LETTERS) ? keepDeadLetters(batch, services) : consume(batch, services))
  },
  async scheduled(controller, env) {
    const services = buildServices(env)
    await sweep(services)
    if (controller.cron === NIGHTLY) {
      await exportNightly(services)
      await archiveNightly(services)
      await pruneNightly(services)
    }
  },
} satisfies ExportedHandler<Env, JobMessage>

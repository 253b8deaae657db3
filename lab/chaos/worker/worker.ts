/**
 * The product's Worker with fault injection, for `npm run --prefix lab chaos`: the same code with faults at its edges.
 * An invocation may die between any two steps and has its own clock, messages may be lost or duplicated, and objects
 * are evicted.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type Random, seeded } from '../../../cli/shared/random.ts'
import { restore } from '../../../src/archive/restore.ts'
import { buildServices } from '../../../src/build-services.ts'
import { Conversation as ProductConversation } from '../../../src/conversation/conversation.ts'
import type { Env } from '../../../src/env.ts'
import type { JobMessage } from '../../../src/jobs/message.ts'
import { COLLECTION_NAMES } from '../../../src/knowledge/collections.ts'
import { KnowledgeIndex as ProductIndex } from '../../../src/knowledge/stores/knowledge-index.ts'
import { OPERATIONS } from '../../../src/operations/index.ts'
import { createApp } from '../../../src/transports/app.ts'
import product from '../../../src/worker.ts'
import { KillSwitch, mortal, mortalDatabase } from '../../../test/jobs/kill-switch.ts'
import { audit } from './audit.ts'
import { archivedIds } from './rows.ts'

// The other Durable Objects bound in wrangler.toml.
export * from '../../../src/worker.ts'

export class Conversation extends ProductConversation {
  /** Loses in-memory state and work in progress, as when the platform moves the object. */
  evict(): void {
    this.ctx.abort('evicted')
  }
}

export class KnowledgeIndex extends ProductIndex {
  /** See {@link Conversation.evict}. */
  evict(): void {
    this.ctx.abort('evicted')
  }
}

interface ChaosEnv extends Env {
  /** Offset of the clock when the Worker was started, in milliseconds. */
  readonly CHAOS_AHEAD?: string
  /** Seed of the faults in background work. */
  readonly CHAOS_SEED?: string
}

/** Shares of invocations and messages with a fault. */
const DEATHS = 0.15
const LOST = 0.15
const DOUBLED = 0.15
/** Number of concurrent consumers. */
const CONSUMERS = 5
/** An invocation dies at the latest after this many steps. */
const STEPS = 14
/** The clocks of two invocations differ by at most twice this, in milliseconds: more than the duration of a lease. */
const SKEW_MS = 150_000

const world = { ahead: null as number | null, faults: true, batches: 0 }
const skew = new AsyncLocalStorage<number>()
const realNow = Date.now.bind(Date)
const complain = console.error.bind(console)
// Thousands of errors are expected during the faults, but none afterwards.
console.error = (...text: unknown[]) => {
  if (!world.faults) complain(...text)
}
Date.now = () => realNow() + (world.ahead ?? 0) + (skew.getStore() ?? 0)

interface Invocation {
  readonly env: Env
  readonly kill: KillSwitch
  readonly skew: number
}

/** The bindings of one invocation, with the faults drawn for its number; null: no faults. */
function invocation(env: ChaosEnv, number: number | null, consumes = false): Invocation {
  world.ahead ??= Number(env.CHAOS_AHEAD ?? 0)
  // The per-minute rate limits would only slow down the load.
  const open = { ...env, KEY_LIMIT: undefined, ADDRESS_LIMIT: undefined }
  if (number === null || !world.faults) return { env: open, kill: new KillSwitch(null, false), skew: 0 }
  const random = seeded(number)
  const steps = random() < DEATHS ? Math.floor(random() * STEPS) : null
  const kill = new KillSwitch(steps, random() < 0.5, () => delayMs(random, consumes))
  const jobs = {
    sendBatch: (messages: MessageSendRequest<JobMessage>[]) =>
      kill.step(async () => {
        const sent = messages.flatMap((message) => {
          const luck = random()
          return luck < LOST ? [] : luck < LOST + DOUBLED ? [message, message] : [message]
        })
        if (sent.length > 0) await env.JOBS.sendBatch(sent)
      }),
  }
  return {
    env: {
      ...open,
      DB: mortalDatabase(env.DB, kill),
      KNOWLEDGE: mortalObjects(env.KNOWLEDGE, kill),
      CONVERSATIONS: mortalObjects(env.CONVERSATIONS, kill),
      DATASETS: mortal(env.DATASETS, kill, ['resumeMultipartUpload']),
      JOBS: jobs as unknown as Queue<JobMessage>,
    },
    kill,
    skew: Math.round((random() * 2 - 1) * SKEW_MS),
  }
}

/**
 * Delay before a step: usually none; for requests occasionally a short one; for consumers sometimes so long that others
 * overtake them.
 */
function delayMs(random: Random, consumes: boolean): number {
  const luck = random()
  if (consumes) return luck < 0.06 ? 50 + 350 * random() : 0
  return luck < 0.03 ? 60 : luck < 0.2 ? 4 : 0
}

function mortalObjects<T extends DurableObjectNamespace<ProductIndex> | DurableObjectNamespace<ProductConversation>>(
  objects: T,
  kill: KillSwitch,
): T {
  return { getByName: (name: string) => mortal(objects.getByName(name), kill) } as unknown as T
}

const app = createApp(buildServices, OPERATIONS)

export default {
  async fetch(request: Request, env: ChaosEnv, context: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/chaos/control') return control(env, await request.json<Control>())
    if (pathname === '/chaos/audit') {
      const { project } = await request.json<{ project: string }>()
      return Response.json(await audit(buildServices(invocation(env, null).env), project))
    }
    if (pathname === '/chaos/restore') {
      const { project } = await request.json<{ project: string }>()
      const services = buildServices(invocation(env, null).env)
      return Response.json({ restored: await restore(services, await archivedIds(services, project)) })
    }
    const drawn = request.headers.get('x-chaos')
    const { env: seen, kill, skew: mine } = invocation(env, drawn === null ? null : Number(drawn))
    const response = await skew.run(mine, () => app.fetch(request, seen, context))
    // A dead invocation has no answer, whatever it was about to return.
    return kill.dead ? new Response('The Worker died.', { status: 500 }) : response
  },
  /** Several consumers process a batch concurrently: the platform runs many at once, local workerd only one. */
  async queue(batch: MessageBatch<JobMessage>, env: ChaosEnv): Promise<void> {
    const shares = Array.from({ length: CONSUMERS }, (_, i) => batch.messages.filter((_, at) => at % CONSUMERS === i))
    await Promise.all(shares.filter((share) => share.length > 0).map((share) => consumeShare(batch.queue, share, env)))
  },
  async scheduled(controller: ScheduledController, env: ChaosEnv): Promise<void> {
    await product.scheduled(controller, invocation(env, null).env)
  },
}

async function consumeShare(queue: string, messages: readonly Message<JobMessage>[], env: ChaosEnv): Promise<void> {
  const number = Number(env.CHAOS_SEED ?? 0) * 1_000_003 + world.batches++
  const { env: seen, kill, skew: mine } = invocation(env, number, true)
  const ended = new Set<Message<JobMessage>>()
  const each = (end: (message: Message<JobMessage>) => void) => () => {
    for (const message of messages) end(message)
  }
  const own = messages.map((message) => {
    const ending = (end: () => void) => {
      // Acknowledgements of a dead consumer are ignored.
      if (kill.dead) return
      ended.add(message)
      end()
    }
    return {
      id: message.id,
      timestamp: message.timestamp,
      body: message.body,
      attempts: message.attempts,
      ack: () => ending(() => message.ack()),
      retry: (options?: QueueRetryOptions) => ending(() => message.retry(options)),
    }
  })
  const share = { queue, messages: own, ackAll: each((m) => m.ack()), retryAll: each((m) => m.retry()) }
  await skew.run(mine, () => product.queue(share as unknown as MessageBatch<JobMessage>, seen)).catch(() => undefined)
  // Their messages are delivered again.
  if (kill.dead) for (const message of messages) if (!ended.has(message)) message.retry({ delaySeconds: 1 })
}

interface Control {
  readonly ahead?: number
  readonly faults?: boolean
  /** Evicts all objects of this project, and its conversations with these ids. */
  readonly evict?: { readonly project: string; readonly conversations: readonly string[] }
}

/** Handles control requests of the conductor. */
async function control(env: ChaosEnv, { ahead, faults, evict }: Control): Promise<Response> {
  if (ahead !== undefined) world.ahead = ahead
  if (faults !== undefined) world.faults = faults
  if (evict) {
    const nameOf = (name: string) => JSON.stringify([evict.project, name])
    const objects = [
      ...COLLECTION_NAMES.map((name) => env.KNOWLEDGE.getByName(nameOf(name)) as unknown as Evictable),
      ...evict.conversations.map((id) => env.CONVERSATIONS.getByName(nameOf(id)) as unknown as Evictable),
    ]
    // The eviction also breaks the call itself.
    await Promise.allSettled(objects.map((object) => object.evict()))
  }
  return Response.json({ ok: true })
}

interface Evictable {
  evict(): Promise<void>
}

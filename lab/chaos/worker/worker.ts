/**
 * The product's Worker in a world in which everything goes wrong, for `npm run --prefix lab chaos`: the same code with faults at its edges.
 * An invocation may die between any two steps, has a clock of its own, and its messages get lost or doubled; objects are evicted.
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

// The other Durable Objects that wrangler.toml binds.
export * from '../../../src/worker.ts'

export class Conversation extends ProductConversation {
  /** Loses what is in memory and what is under way, as when the platform moves the object. */
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
  /** How far the clock stood ahead when the Worker was started, in milliseconds. */
  readonly CHAOS_AHEAD?: string
  /** Seed of the faults that meet background work. */
  readonly CHAOS_SEED?: string
}

/** Shares of invocations and messages that a fault meets. */
const DEATHS = 0.15
const LOST = 0.15
const DOUBLED = 0.15
/** Consumers that run at once. */
const CONSUMERS = 5
/** Steps of which the one after is the last. */
const STEPS = 14
/** Clocks of two invocations are apart by at most twice this, in milliseconds: more than a lease lasts. */
const SKEW_MS = 150_000

const world = { ahead: null as number | null, faults: true, batches: 0 }
const skew = new AsyncLocalStorage<number>()
const realNow = Date.now.bind(Date)
const complain = console.error.bind(console)
// Thousands of errors are wanted; those after the faults are not.
console.error = (...text: unknown[]) => {
  if (!world.faults) complain(...text)
}
Date.now = () => realNow() + (world.ahead ?? 0) + (skew.getStore() ?? 0)

interface Invocation {
  readonly env: Env
  readonly kill: KillSwitch
  readonly skew: number
}

/** The bindings as one invocation sees them, with the faults that its number draws; null draws none. */
function invocation(env: ChaosEnv, number: number | null, consumes = false): Invocation {
  world.ahead ??= Number(env.CHAOS_AHEAD ?? 0)
  // The limits of requests a minute would only slow the load down.
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

/** Wait before a step: mostly none; of a request now and then a little; of a consumer sometimes so long that others overtake it. */
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
    // What died has no answer, whatever it was about to say.
    return kill.dead ? new Response('The Worker died.', { status: 500 }) : response
  },
  /** Several consumers share a batch, side by side: the platform runs many at once, workerd on a machine one. */
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
      // What a dead consumer says of its messages is not heard.
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
  // They come again.
  if (kill.dead) for (const message of messages) if (!ended.has(message)) message.retry({ delaySeconds: 1 })
}

interface Control {
  readonly ahead?: number
  readonly faults?: boolean
  /** Evicts every object of this project, and its conversations with these ids. */
  readonly evict?: { readonly project: string; readonly conversations: readonly string[] }
}

/** What the one who conducts the run says. */
async function control(env: ChaosEnv, { ahead, faults, evict }: Control): Promise<Response> {
  if (ahead !== undefined) world.ahead = ahead
  if (faults !== undefined) world.faults = faults
  if (evict) {
    const nameOf = (name: string) => JSON.stringify([evict.project, name])
    const objects = [
      ...COLLECTION_NAMES.map((name) => env.KNOWLEDGE.getByName(nameOf(name)) as unknown as Evictable),
      ...evict.conversations.map((id) => env.CONVERSATIONS.getByName(nameOf(id)) as unknown as Evictable),
    ]
    // The call itself breaks with the object.
    await Promise.allSettled(objects.map((object) => object.evict()))
  }
  return Response.json({ ok: true })
}

interface Evictable {
  evict(): Promise<void>
}

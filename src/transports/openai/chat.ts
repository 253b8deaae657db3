/**
 * Chat completions: chooses a server, puts context under the question, passes the answer through, records what happened.
 * @module
 */
import * as z from 'zod'
import { countRedactions } from '../../database/queries/redactions.ts'
import { CoordinatorError, toCoordinatorError } from '../../errors.ts'
import { NO_UPSTREAMS } from '../../inference/chat-upstream.ts'
import { MAX_RESPONSE } from '../../knowledge/text-fields.ts'
import * as fields from '../../operations/fields.ts'
import { measureInput } from '../../operations/input-sizes.ts'
import { parseInput } from '../../operations/invoke.ts'
import type { Caller } from '../../operations/operation.ts'
import { EXPECTED_ANSWER_TOKENS, reserveGeneration } from '../../routing/generation-budget.ts'
import {
  type ChatEnd,
  type ChatFallback,
  type ChatServices,
  type ChatTarget,
  type ChatTask,
  type RoutedChat,
  recordChat,
  routeChat,
} from '../../routing/route-chat.ts'
import { type RedactionCounts, redact } from '../../security/redact.ts'
import { tokenCounter } from '../../text/token-counter.ts'
import { readJsonObject } from '../body.ts'
import { type AppContext, bodyLimit } from '../context.ts'
import { reportError } from '../problem.ts'
import { errorBody } from './errors.ts'
import { AnswerSoFar, askedText, type ChatRequest, chatRequest, textsOf, withContext } from './messages.ts'

const scopeFields = z.object({ project: fields.project, conversation_id: fields.conversationId.optional() })

/**
 * Project and conversation of a request, from its metadata; a key that is bound to a project means its own.
 * @throws CoordinatorError `invalid_input` or `forbidden`
 */
function scopeOf(caller: Caller, metadata: Readonly<Record<string, unknown>> | null | undefined) {
  const own = caller.project === null ? {} : { project: caller.project }
  const { project, conversation_id } = parseInput(scopeFields, { ...own, ...metadata })
  if (caller.project !== null && project !== caller.project) {
    throw new CoordinatorError('forbidden', 'This key is bound to another project.', { field: 'metadata.project' })
  }
  return { project, conversationId: conversation_id ?? null }
}

/** Tokens of a request's messages, and of the answer that it allows. */
async function expectedTokens(request: ChatRequest): Promise<number> {
  const texts = request.messages.flatMap(({ content }) =>
    typeof content === 'string'
      ? content
      : (content ?? []).map((part) => String((part as { text?: unknown }).text ?? '')),
  )
  const { max_completion_tokens: most, max_tokens: mostBefore } = request as Record<string, unknown>
  const answer = [most, mostBefore].find((limit) => typeof limit === 'number' && limit >= 0)
  return (
    (await tokenCounter())(texts.join('\n')) + (typeof answer === 'number' ? Math.ceil(answer) : EXPECTED_ANSWER_TOKENS)
  )
}

/** One request on its way. */
interface Chat {
  readonly c: AppContext
  readonly services: ChatServices
  readonly request: ChatRequest
  readonly task: ChatTask
  readonly routed: RoutedChat
  readonly startedAt: number
  /** Ends the server's work when the client has gone. */
  readonly stop: AbortController
  readonly answer: AnswerSoFar
  /** Told how many tokens the answer has used. */
  settle(used: number): Promise<void>
  readonly fallbacks: ChatFallback[]
  /** What was taken out of question and answer before they were kept. */
  readonly redactions: RedactionCounts
}

/** Answers `POST /v1/chat/completions`. */
export async function answerChat(c: AppContext): Promise<Response> {
  const services = c.var.services()
  const startedAt = services.now()
  const request = parseInput(chatRequest, await readJsonObject(c.req.raw, bodyLimit(c)))
  measureInput(textsOf(request.messages), services.settings.MAX_FIELD_CHARACTERS)
  const scope = scopeOf(c.var.caller, request.metadata)
  const redactions: RedactionCounts = {}
  const query = askedText(request.messages, redactions)
  const task: ChatTask = { ...scope, query, model: request.model, caller: c.var.caller.id }
  const routed = await routeChat(services, services.upstreams ?? NO_UPSTREAMS, task)
  const expected = await expectedTokens(request)
  const settle = await reserveGeneration(services, task, expected)
  const stop = new AbortController()
  c.req.raw.signal?.addEventListener('abort', () => stop.abort(), { once: true })
  const chat: Chat = {
    c,
    services,
    request,
    task,
    routed,
    startedAt,
    stop,
    answer: new AnswerSoFar(),
    settle,
    fallbacks: [],
    redactions,
  }
  return request.stream ? streamed(chat) : whole(chat)
}

/**
 * Tries the servers in turn until one begins to answer.
 * @throws the last one's CoordinatorError, after it was recorded
 */
async function firstAnswer<T>(
  chat: Chat,
  ask: (target: ChatTarget) => Promise<T>,
): Promise<{ target: ChatTarget; value: T }> {
  const { targets } = chat.routed
  let failure = new CoordinatorError('engine_unavailable', 'No model is configured.')
  for (const [i, target] of targets.entries()) {
    try {
      return { target, value: await ask(target) }
    } catch (thrown) {
      failure = toCoordinatorError(thrown)
      if (failure.code !== 'engine_unavailable') break
      const next = targets[i + 1]
      if (next) chat.fallbacks.push({ from: target.upstream.side, to: next.upstream.side, reason: failure.message })
    }
  }
  await record(chat, 'failed', null)
  throw failure
}

/** What the server is asked: the client's request with context under the question and the server's own model name. */
function upstreamBody({ request, routed }: Chat, { model }: ChatTarget, stream: boolean): object {
  const { metadata: _, model: __, ...rest } = request
  const context = routed.augmentation?.contextIds.length ? routed.augmentation.context : ''
  return {
    ...rest,
    ...(model !== null && { model }),
    messages: withContext(request.messages, context),
    stream,
    ...(stream && { stream_options: { ...request.stream_options, include_usage: true } }),
  }
}

async function whole(chat: Chat): Promise<Response> {
  const { target, value } = await firstAnswer(chat, async (target) => {
    const body = await target.upstream.ask(upstreamBody(chat, target, false), chat.stop.signal)
    if (chat.answer.readCompletion(body)) return body
    throw new CoordinatorError(
      'engine_unavailable',
      `The ${target.upstream.side} model did not answer with a completion.`,
    )
  })
  await record(chat, 'complete', target)
  return new Response(JSON.stringify({ ...value, hybrid_coordinator: about(chat, target) }), {
    headers: { 'Content-Type': 'application/json', ...headers(chat, target) },
  })
}

async function streamed(chat: Chat): Promise<Response> {
  const { target, value } = await firstAnswer(chat, async (target) => {
    const events = target.upstream.stream(upstreamBody(chat, target, true), chat.stop.signal)
    return { events, first: await events.next() }
  })
  const ended = Promise.withResolvers<void>()
  keepAlive(chat.c, ended.promise)
  const encoder = new TextEncoder()
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, data: string) =>
    controller.enqueue(encoder.encode(`data: ${data}\n\n`))
  let next: Promise<IteratorResult<string, void>> | null = Promise.resolve(value.first)
  let closed = false
  const end = async (status: ChatEnd['status']) => {
    if (closed) return
    closed = true
    await record(chat, status, target).catch((thrown) => reportError(thrown, chat.c.var.requestId, 'recording a chat'))
    ended.resolve()
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { done, value: data } = await (next ?? value.events.next())
          next = null
          if (closed) return
          if (done || (data === '[DONE]' && !chat.answer.finished)) throw brokenOff(target)
          if (data === '[DONE]') {
            await end('complete')
            send(controller, data)
            controller.close()
            return
          }
          const forwarded = forward(chat, target, data)
          if (forwarded === null) continue
          send(controller, forwarded)
          return
        }
      } catch (thrown) {
        const error = reportError(thrown, chat.c.var.requestId, 'streaming a chat')
        await end('broken')
        // The client sees an error and no [DONE]: a fragment never passes for an answer.
        send(controller, JSON.stringify(errorBody(error, chat.c.var.requestId)))
        controller.close()
      }
    },
    async cancel() {
      chat.stop.abort()
      await end('stopped')
    },
  })
  return new Response(body, {
    headers: { 'Content-Type': 'text/event-stream; charset=utf-8', ...headers(chat, target) },
  })
}

/**
 * The event as the client gets it; null: not meant for it.
 * @throws CoordinatorError `engine_unavailable` when the server reports an error, or sends something else
 */
function forward(chat: Chat, target: ChatTarget, data: string): string | null {
  const chunk = chat.answer.readChunk(data)
  if (!chunk) throw brokenOff(target)
  if (chunk.choices.length === 0 && chunk.usage && !chat.request.stream_options?.include_usage) return null
  const last = chunk.choices.some(({ finish_reason }) => finish_reason)
  return last ? JSON.stringify({ ...chunk, hybrid_coordinator: about(chat, target) }) : data
}

function brokenOff({ upstream }: ChatTarget): CoordinatorError {
  return new CoordinatorError('engine_unavailable', `The ${upstream.side} model broke off in the middle of its answer.`)
}

function about({ routed, fallbacks, task }: Chat, { upstream }: ChatTarget) {
  return {
    interaction_id: task.query === null ? null : routed.interactionId,
    decision_id: routed.decisionId,
    backend: upstream.side,
    cause: routed.cause,
    context_ids: routed.augmentation?.contextIds ?? [],
    fallbacks,
  }
}

function headers({ routed, task }: Chat, { upstream }: ChatTarget): Record<string, string> {
  return {
    'Cache-Control': 'no-store',
    'X-Backend': upstream.side,
    ...(task.query !== null && { 'X-Interaction-Id': routed.interactionId }),
  }
}

async function record(chat: Chat, status: ChatEnd['status'], target: ChatTarget | null): Promise<void> {
  await chat.settle(chat.answer.tokens)
  const { answer, services, task, routed, fallbacks, startedAt, redactions } = chat
  const response = redact(answer.text.replaceAll('\0', ' '), redactions).slice(0, MAX_RESPONSE).toWellFormed()
  await countRedactions(services.database, task.project, redactions, services.now()).catch(() => undefined)
  return recordChat(services, task, routed, {
    status,
    target,
    fallbacks,
    response,
    modelUsed: answer.model,
    tokens: answer.tokens,
    calledTools: answer.calledTools,
    startedAt,
  })
}

function keepAlive(c: AppContext, work: Promise<void>): void {
  try {
    c.executionCtx.waitUntil(work)
  } catch {
    // Called without an execution context, as tests of a single route do.
  }
}

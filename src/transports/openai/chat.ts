/**
 * Chat completions: chooses a server, adds context below the question, passes the answer through, and records the
 * interaction.
 * @module
 */
import * as z from 'zod'
import { countRedactions } from '../../database/queries/redactions.ts'
import { CoordinatorError, toCoordinatorError } from '../../errors.ts'
import { NO_UPSTREAMS, UpstreamRefusal } from '../../inference/chat-upstream.ts'
import { MAX_QUERY, MAX_RESPONSE } from '../../knowledge/text-fields.ts'
import * as fields from '../../operations/fields.ts'
import { measureInput } from '../../operations/input-sizes.ts'
import { parseInput } from '../../operations/invoke.ts'
import type { Caller } from '../../operations/operation.ts'
import { viewTruncated } from '../../operations/truncated.ts'
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
import { shownLimit, type Truncation } from '../../text/truncation.ts'
import type { AppContext } from '../context.ts'
import { reportError } from '../problem.ts'
import { AnswerSoFar } from './answer.ts'
import { isBackgroundTask } from './background-task.ts'
import { errorBody } from './errors.ts'
import type { AnswerFormat } from './format.ts'
import { askedText, type ChatRequest, hasMedia, textsOf, withContext } from './messages.ts'

const scopeFields = z.object({ project: fields.project, conversation_id: fields.conversationId.optional() })

/**
 * Project and conversation of a request, from its metadata. The default project of a bound key is its own.
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

/** Tokens of a request's messages, plus the maximum tokens of its answer. */
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

/** The state of one request. */
interface Chat {
  readonly c: AppContext
  readonly services: ChatServices
  readonly request: ChatRequest
  readonly task: ChatTask
  readonly routed: RoutedChat
  readonly startedAt: number
  /** Whether the question is stored only in part. */
  readonly questionTruncated: boolean
  /** Stops the server's work if the client disconnects. */
  readonly stop: AbortController
  readonly answer: AnswerSoFar
  readonly format: AnswerFormat
  /** Called with the number of tokens that the answer used. */
  settle(used: number): Promise<void>
  readonly fallbacks: ChatFallback[]
  /** Redactions in question and answer before they were stored. */
  readonly redactions: RedactionCounts
}

/**
 * Answers a chat request, as a whole or streamed.
 * @param format the client's answer format
 */
export async function answerChat(c: AppContext, request: ChatRequest, format: AnswerFormat): Promise<Response> {
  const services = c.var.services()
  const startedAt = services.now()
  measureInput(textsOf(request.messages), services.settings.MAX_FIELD_CHARACTERS)
  const scope = scopeOf(c.var.caller, request.metadata)
  const redactions: RedactionCounts = {}
  const kind = kindOf(request)
  const asked = kind === 'background_task' ? null : askedText(request.messages, redactions)
  const task: ChatTask = { ...scope, query: asked?.text ?? null, kind, model: request.model, caller: c.var.caller.id }
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
    questionTruncated: asked?.truncated ?? false,
    stop,
    answer: new AnswerSoFar(),
    format,
    settle,
    fallbacks: [],
    redactions,
  }
  return request.stream ? streamed(chat) : whole(chat)
}

/** The kind of request, as far as it affects the choice of server. */
function kindOf(request: ChatRequest): ChatTask['kind'] {
  const hasTools = Array.isArray(request.tools) && request.tools.length > 0
  if (isBackgroundTask(request.messages, hasTools)) return 'background_task'
  return hasMedia(request.messages) ? 'media' : 'text'
}

/**
 * Tries the servers in turn until one starts to answer. A request that one server rejects is not sent to the next,
 * because the caller must correct it. A busy or unavailable server causes the next one to be tried.
 * @throws CoordinatorError of the failure, after recording it; names each of several failures
 */
async function firstAnswer<T>(
  chat: Chat,
  ask: (target: ChatTarget) => Promise<T>,
): Promise<{ target: ChatTarget; value: T }> {
  const { targets } = chat.routed
  const failures: CoordinatorError[] = []
  for (const [i, target] of targets.entries()) {
    try {
      return { target, value: await ask(target) }
    } catch (thrown) {
      const failure = toCoordinatorError(thrown)
      failures.push(failure)
      if (failure.code !== 'engine_unavailable' && failure.code !== 'rate_limited') break
      const next = targets[i + 1]
      if (next) chat.fallbacks.push({ from: target.upstream.side, to: next.upstream.side, reason: failure.message })
    }
  }
  await record(chat, 'failed', null)
  throw combined(failures)
}

/**
 * Combines the errors of several servers: uses the last one, or one that states when to retry. The message names each.
 */
function combined(failures: readonly CoordinatorError[]): CoordinatorError {
  const last = failures.at(-1)
  if (!last) return new CoordinatorError('engine_unavailable', 'No model is configured.')
  const mayComeBack = failures.every(({ code }) => code === 'engine_unavailable' || code === 'rate_limited')
  if (failures.length === 1 || !mayComeBack) return last
  const told = failures.find(({ code }) => code === 'rate_limited') ?? last
  const message = [...new Set(failures.map((failure) => failure.message))].join(' ')
  if (told instanceof UpstreamRefusal) {
    const retryAfterMs = told.retryAfter === undefined ? undefined : told.retryAfter * 1000
    return new UpstreamRefusal({ ...told.refusal, message }, retryAfterMs)
  }
  return new CoordinatorError(told.code, message, { hint: told.hint, retryAfter: told.retryAfter })
}

/** The request to the server: the client's request with context below the question and the server's own model name. */
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
  return new Response(JSON.stringify(chat.format.whole(value, chat.answer, about(chat, target))), {
    headers: { 'Content-Type': 'application/json', ...headers(chat, target) },
  })
}

async function streamed(chat: Chat): Promise<Response> {
  const { target, value } = await firstAnswer(chat, async (target) => {
    const body = upstreamBody(chat, target, true)
    const events = target.upstream.stream(body, chat.stop.signal, () => chat.answer.finished)
    return { events, first: await events.next() }
  })
  const ended = Promise.withResolvers<void>()
  keepAlive(chat.c, ended.promise)
  const format = chat.format.stream(chat.answer, () => about(chat, target))
  const encoder = new TextEncoder()
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, events: string) => {
    if (events !== '') controller.enqueue(encoder.encode(events))
  }
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
          if (done || data === '[DONE]') {
            if (!chat.answer.finished) throw brokenOff(target)
            await end('complete')
            send(controller, format.end())
            controller.close()
            return
          }
          const read = chat.answer.readChunk(data)
          if (!read) throw brokenOff(target)
          const events = format.chunk(read.chunk, read.piece, data)
          if (events === '') continue
          send(controller, events)
          return
        }
      } catch (thrown) {
        const error = reportError(thrown, chat.c.var.requestId, 'streaming a chat')
        await end('broken')
        send(controller, format.error(errorBody(error, chat.c.var.requestId)))
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

function brokenOff({ upstream }: ChatTarget): CoordinatorError {
  return new CoordinatorError('engine_unavailable', `The ${upstream.side} model broke off in the middle of its answer.`)
}

function about({ routed, fallbacks, task, questionTruncated, answer }: Chat, { upstream }: ChatTarget) {
  const isTracked = task.query !== null
  const truncated = [
    ...(routed.augmentation?.truncated ?? []).map((truncation) => ({ field: 'messages', truncation })),
    ...(questionTruncated ? [{ field: 'messages', truncation: storedPart(MAX_QUERY) }] : []),
    ...(isTracked && answer.text.length > MAX_RESPONSE
      ? [{ field: 'choices', truncation: storedPart(MAX_RESPONSE) }]
      : []),
  ]
  return {
    interaction_id: isTracked ? routed.interactionId : null,
    decision_id: routed.decisionId,
    backend: upstream.side,
    cause: routed.cause,
    context_ids: routed.augmentation?.contextIds ?? [],
    fallbacks,
    ...viewTruncated(truncated),
  }
}

/** The model gets and gives the whole text; only a part of it is stored. */
function storedPart(limit: number): Truncation {
  return {
    limit,
    message: `The interaction stores the first ${shownLimit(limit)} characters.`,
    hint: 'Send long material as several questions.',
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
  // If the server didn't report the tokens of an answer, the reserved tokens count as used.
  const used = status === 'failed' ? 0 : chat.answer.tokens
  if (used !== null) await chat.settle(used)
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
    calledTools: answer.calls.length > 0,
    cut: answer.finish === 'length',
    startedAt,
  })
}

function keepAlive(c: AppContext, work: Promise<void>): void {
  try {
    c.executionCtx.waitUntil(work)
  } catch {
    // Some tests call the app without an execution context.
  }
}

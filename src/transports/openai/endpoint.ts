/**
 * The OpenAI-compatible surface: any OpenAI client with this base URL gets context, routing and tracking automatically.
 *
 * Fields of a request's `metadata` that the coordinator reads (and doesn't pass on): `project`, `conversation_id`. It
 * reports what it did in the header `X-Interaction-Id` and in the field `hybrid_coordinator` of the answer or of its
 * last chunk. Source: OpenAI API reference, chat completions, responses, embeddings, models.
 * @module
 */

import type { Hono } from 'hono'
import * as z from 'zod'
import { toBase64 } from '../../encoding.ts'
import { CoordinatorError, invalidInput } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { NO_UPSTREAMS } from '../../inference/chat-upstream.ts'
import { line } from '../../knowledge/text-fields.ts'
import { holds, parseInput } from '../../operations/invoke.ts'
import type { Scope } from '../../operations/operation.ts'
import { viewTruncated } from '../../operations/truncated.ts'
import { namedLocalModels } from '../../routing/query-class.ts'
import { tokenCounter } from '../../text/token-counter.ts'
import { readJsonObject } from '../body.ts'
import { type AppContext, type AppEnv, bodyLimit } from '../context.ts'
import { reportError } from '../problem.ts'
import { answerChat } from './chat.ts'
import { errorResponse } from './errors.ts'
import { chatFormat } from './format.ts'
import { chatRequest } from './messages.ts'
import { responsesFormat } from './responses-format.ts'
import { readResponsesRequest } from './responses-request.ts'

/** Maximum number of texts that one call embeds, and the maximum length of each in characters. */
const MAX_TEXTS = 256
const MAX_TEXT = 32_000

/** Under this path, errors have OpenAI's format. */
const ROOT = '/v1'

const READ: readonly Scope[] = ['read']
/** A chat reads knowledge for its prompt, and tracks the answer. */
const CHAT: readonly Scope[] = ['read', 'write']

/** The supported routes, listed for requests to unknown ones. */
export const OPENAI_ROUTES = [
  'POST /v1/chat/completions',
  'POST /v1/responses',
  'POST /v1/embeddings',
  'GET /v1/models',
  'GET /v1/models/{id}',
] as const

/** Whether a path belongs to this API, supported or not. */
export function isOpenAiPath(path: string): boolean {
  return path === ROOT || path.startsWith(`${ROOT}/`)
}

/** Adds the routes under /v1. */
export function mountOpenAi(app: Hono<AppEnv>): void {
  app.get('/v1/models', (c) => guarded(c, READ, () => models(c)))
  app.get('/v1/models/:id{.+}', (c) => guarded(c, READ, () => model(c, c.req.param('id'))))
  app.post('/v1/embeddings', (c) => guarded(c, READ, () => embeddings(c)))
  app.post('/v1/chat/completions', (c) =>
    guarded(c, CHAT, async () => {
      const request = parseInput(chatRequest, await body(c))
      return answerChat(c, request, chatFormat(Boolean(request.stream_options?.include_usage)))
    }),
  )
  app.post('/v1/responses', (c) =>
    guarded(c, CHAT, async () => {
      const translated = readResponsesRequest(await body(c))
      return answerChat(c, translated.chat, responsesFormat(translated, c.var.services().now(), newResponseId))
    }),
  )
}

const newResponseId = () => newId().replaceAll('-', '')

async function guarded(c: AppContext, scopes: readonly Scope[], answer: () => Promise<Response>): Promise<Response> {
  try {
    const lacking = scopes.find((scope) => !holds(c.var.caller, scope))
    if (lacking) {
      throw new CoordinatorError('forbidden', `This key lacks the scope "${lacking}".`, {
        hint: `Use a key with ${scopes.length > 1 ? 'the scopes' : 'the scope'} ${scopes.join(' and ')}.`,
      })
    }
    return await answer()
  } catch (thrown) {
    return errorResponse(reportError(thrown, c.var.requestId, `${c.req.method} ${c.req.path}`), c.var.requestId)
  }
}

/** The body of a request. Images are included as base64; they are the usual reason why bodies exceed the limit. */
async function body(c: AppContext): Promise<Record<string, unknown>> {
  const most = bodyLimit(c)
  try {
    return await readJsonObject(c.req.raw, most)
  } catch (thrown) {
    if (!(thrown instanceof CoordinatorError) || thrown.code !== 'payload_too_large') throw thrown
    const megabytes = ((most * 3) / 4 / 1_048_576).toFixed(1)
    throw new CoordinatorError('payload_too_large', thrown.message, {
      field: 'body',
      limit: most,
      hint: `Images in base64 take 4 bytes for 3, so together they may have ${megabytes} MB: send smaller ones, link to them, or raise MAX_BODY_BYTES.`,
    })
  }
}

/** Valid values of a request's `model`. */
function modelNames(c: AppContext): Set<string> {
  const services = c.var.services()
  const { local, remote } = services.upstreams ?? NO_UPSTREAMS
  const names = new Set<string>()
  if (local || remote) names.add('auto')
  for (const upstream of [local, remote]) {
    if (!upstream) continue
    names.add(upstream.side)
    if (upstream.model) names.add(upstream.model)
  }
  if (local) for (const name of namedLocalModels(services.settings)) names.add(name)
  return names.add(services.embedder.space.name)
}

const modelObject = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'hybrid-coordinator' })

async function models(c: AppContext): Promise<Response> {
  return Response.json({ object: 'list', data: [...modelNames(c)].map(modelObject) })
}

async function model(c: AppContext, id: string): Promise<Response> {
  if (modelNames(c).has(id)) return Response.json(modelObject(id))
  throw new CoordinatorError('not_found', 'There is no such model.', {
    field: 'model',
    hint: 'GET /v1/models lists the models.',
  })
}

const embeddingRequest = z.looseObject({
  model: z.string().max(200).optional(),
  input: z.array(line(MAX_TEXT)).min(1).max(MAX_TEXTS),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().nullish(),
})

/**
 * The texts of a request.
 * @throws CoordinatorError `invalid_input` for token ids, which are only meaningful for one model's vocabulary
 */
function textsIn(raw: Record<string, unknown>): Record<string, unknown> {
  const { input } = raw
  const isTokens = (value: unknown) =>
    typeof value === 'number' || (Array.isArray(value) && typeof value[0] === 'number')
  if (Array.isArray(input) && input.some(isTokens)) {
    throw invalidInput('input', 'input holds tokens; this coordinator embeds texts.', {
      hint: 'Send strings. In LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False).',
    })
  }
  return typeof input === 'string' ? { ...raw, input: [input] } : raw
}

async function embeddings(c: AppContext): Promise<Response> {
  const { embedder } = c.var.services()
  const { name, dimensions } = embedder.space
  const request = parseInput(embeddingRequest, textsIn(await readJsonObject(c.req.raw, bodyLimit(c))))
  if (request.dimensions != null && request.dimensions !== dimensions) {
    throw invalidInput('dimensions', `Embeddings of ${name} have ${dimensions} dimensions.`, { hint: 'Leave it out.' })
  }
  const texts = request.input
  const [embedded, countTokens] = await Promise.all([embedder.embed(texts, 'document'), tokenCounter()])
  const unknown = embedded.flatMap(({ vector }, index) => (vector ? [] : [index]))
  if (unknown.length === texts.length) {
    throw invalidInput('input[0]', `${name} knows no word of what was sent.`, {
      hint: 'An invented vector would be worse than none; search such texts by keyword.',
    })
  }
  // A text without known words must not make the other texts fail: the zero vector is similar to nothing.
  const data = embedded.map(({ vector }, index) => {
    const values = vector ?? new Float32Array(dimensions)
    const embedding = request.encoding_format === 'base64' ? base64Of(values) : [...values]
    return { object: 'embedding', index, embedding }
  })
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
  const truncated = texts.flatMap((text, index) => {
    const truncation = embedder.truncation?.(text, 'document')
    return truncation ? [{ field: `input[${index}]`, truncation }] : []
  })
  const about = { ...(unknown.length > 0 && { zero_vectors: unknown }), ...viewTruncated(truncated) }
  return Response.json({
    object: 'list',
    data,
    model: name,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    ...(Object.keys(about).length > 0 && { hybrid_coordinator: about }),
  })
}

/** Little-endian 32-bit floats in base64, as in OpenAI's answers. */
function base64Of(vector: Float32Array): string {
  return toBase64(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
}

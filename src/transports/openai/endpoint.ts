/**
 * The OpenAI-compatible surface: any OpenAI client with this base URL gets context, routing and tracking without knowing.
 *
 * Fields of a request's `metadata` that the coordinator reads (and doesn't pass on): `project`, `conversation_id`. What it did
 * comes back in the header `X-Interaction-Id` and in the field `hybrid_coordinator` of the answer or of its last chunk.
 * Source: OpenAI API reference, chat completions, embeddings, models.
 * @module
 */

import type { Hono } from 'hono'
import * as z from 'zod'
import { toBase64 } from '../../encoding.ts'
import { CoordinatorError, invalidInput } from '../../errors.ts'
import { NO_UPSTREAMS } from '../../inference/chat-upstream.ts'
import { line } from '../../knowledge/text-fields.ts'
import { holds, parseInput } from '../../operations/invoke.ts'
import type { Scope } from '../../operations/operation.ts'
import { namedLocalModels } from '../../routing/query-class.ts'
import { tokenCounter } from '../../text/token-counter.ts'
import { readJsonObject } from '../body.ts'
import { type AppContext, type AppEnv, bodyLimit } from '../context.ts'
import { reportError } from '../problem.ts'
import { answerChat } from './chat.ts'
import { errorResponse } from './errors.ts'

/** Texts that one call embeds at most, and the length of each in characters. */
const MAX_TEXTS = 256
const MAX_TEXT = 32_000

/** Adds the routes under /v1. */
export function mountOpenAi(app: Hono<AppEnv>): void {
  app.get('/v1/models', (c) => guarded(c, 'read', () => models(c)))
  app.post('/v1/embeddings', (c) => guarded(c, 'read', () => embeddings(c)))
  app.post('/v1/chat/completions', (c) => guarded(c, 'write', () => answerChat(c)))
}

async function guarded(c: AppContext, scope: Scope, answer: () => Promise<Response>): Promise<Response> {
  try {
    if (!holds(c.var.caller, scope)) {
      throw new CoordinatorError('forbidden', `This key lacks the scope "${scope}".`, {
        hint: `Use a key with the scope "${scope}".`,
      })
    }
    return await answer()
  } catch (thrown) {
    return errorResponse(reportError(thrown, c.var.requestId, `${c.req.method} ${c.req.path}`), c.var.requestId)
  }
}

async function models(c: AppContext): Promise<Response> {
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
  names.add(services.embedder.space.name)
  const data = [...names].map((id) => ({ id, object: 'model', created: 0, owned_by: 'hybrid-coordinator' }))
  return Response.json({ object: 'list', data })
}

const embeddingRequest = z.looseObject({
  model: z.string().max(200).optional(),
  input: z.union([line(MAX_TEXT), z.array(line(MAX_TEXT)).min(1).max(MAX_TEXTS)]),
  encoding_format: z.enum(['float', 'base64']).default('float'),
  dimensions: z.int().optional(),
})

async function embeddings(c: AppContext): Promise<Response> {
  const { embedder } = c.var.services()
  const { name, dimensions } = embedder.space
  const request = parseInput(embeddingRequest, await readJsonObject(c.req.raw, bodyLimit(c)))
  if (request.dimensions !== undefined && request.dimensions !== dimensions) {
    throw invalidInput('dimensions', `Embeddings of ${name} have ${dimensions} dimensions.`, { hint: 'Leave it out.' })
  }
  const texts = typeof request.input === 'string' ? [request.input] : request.input
  const [embedded, countTokens] = await Promise.all([embedder.embed(texts, 'document'), tokenCounter()])
  const data = embedded.map(({ vector }, index) => {
    if (!vector) {
      throw invalidInput(`input[${index}]`, `${name} knows no word of input[${index}].`, {
        hint: 'An invented vector would be worse than none; search such texts by keyword.',
      })
    }
    return {
      object: 'embedding',
      index,
      embedding: request.encoding_format === 'base64' ? base64Of(vector) : [...vector],
    }
  })
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
  return Response.json({ object: 'list', data, model: name, usage: { prompt_tokens: tokens, total_tokens: tokens } })
}

/** Little-endian 32-bit floats in base64, as OpenAI sends them. */
function base64Of(vector: Float32Array): string {
  return toBase64(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
}

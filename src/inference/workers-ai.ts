/**
 * Workers AI models through the `AI` binding, adapted to OpenAI's chat completions and to the embedder interface
 * (https://developers.cloudflare.com/workers-ai/).
 * @module
 */
import * as z from 'zod'
import { eventData } from './chat/event-stream.ts'
import type { ChatTransport } from './chat/transport.ts'
import type { EmbeddingModel } from './embedding/embedding-models.ts'
import { ModelEmbedder, notOneForEach } from './embedding/model-embedder.ts'
import { readJson, successful } from './engine/http.ts'
import { type Engine, EngineFailure } from './engine/resilience.ts'

/**
 * The part of the binding that is used. Requests raw responses, so that status and `Retry-After` reveal the cause of a
 * failure.
 */
export interface WorkersAi {
  run(
    model: string,
    inputs: Readonly<Record<string, unknown>>,
    options: { readonly returnRawResponse: true; readonly signal: AbortSignal },
  ): Promise<Response>
}

/** Maximum tokens of an answer if the caller sets no limit. The default of Workers AI is 256. */
const MAX_TOKENS = 2048

/** Runs a model and returns a successful response. */
async function run(
  ai: WorkersAi,
  model: string,
  inputs: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response
  try {
    response = await ai.run(model, inputs, { returnRawResponse: true, signal })
  } catch (thrown) {
    if (thrown instanceof EngineFailure) throw thrown
    if (signal.aborted) throw new EngineFailure('timeout', 'did not answer in time')
    throw new EngineFailure('unreachable', 'could not be reached')
  }
  return successful(response)
}

const counted = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() })
const call = z.object({ name: z.string(), arguments: z.unknown() })
/** The format of models without OpenAI's format. With a JSON schema, `response` is the object itself. */
const native = z.object({
  response: z.union([z.string(), z.record(z.string(), z.unknown()), z.array(z.unknown())]).nullish(),
  tool_calls: z.array(call).nullish(),
  usage: counted.nullish(),
})
const openAi = z.looseObject({ choices: z.array(z.unknown()) })

/**
 * Chat with Workers AI. Answers in other formats are converted to OpenAI's format.
 * @param usual the default model; a request can name another Workers AI model
 */
export function workersAiChat(ai: WorkersAi, usual: string): ChatTransport {
  const modelOf = (body: object) => ('model' in body && /^@/.test(String(body.model)) ? String(body.model) : usual)
  return {
    async ask(body, signal) {
      const model = modelOf(body)
      const answer = await readJson(await run(ai, model, inputsOf(body), signal), signal)
      if (openAi.safeParse(answer).success) return answer
      const own = native.safeParse(answer)
      if (!own.success || (own.data.response == null && !own.data.tool_calls?.length)) return answer
      return completionOf(model, own.data, mostTokens(body))
    },
    async *events(body, signal) {
      const model = modelOf(body)
      const response = await run(ai, model, inputsOf(body), signal)
      if (!response.body) throw new EngineFailure('invalid', 'sent no body')
      const last = { usage: null as z.output<typeof counted> | null, said: false, finished: false }
      for await (const data of eventData(response.body)) {
        if (data === '[DONE]' && last.said && !last.finished) {
          const finish_reason = finishOf(last.usage, mostTokens(body))
          yield JSON.stringify({ ...chunkOf(model, {}, finish_reason), usage: last.usage })
        }
        yield data === '[DONE]' ? data : translated(model, data, last)
      }
    },
  }
}

/** Converts an OpenAI request to a Workers AI request. */
function inputsOf(body: object): Record<string, unknown> {
  const {
    model: _,
    n: __,
    stream_options: ___,
    max_completion_tokens,
    response_format,
    ...rest
  } = body as Record<string, unknown>
  const format = response_format as { type?: string; json_schema?: { schema?: unknown } } | undefined
  const schema = format?.type === 'json_schema' ? format.json_schema?.schema : undefined
  return {
    ...rest,
    max_tokens: rest.max_tokens ?? max_completion_tokens ?? MAX_TOKENS,
    ...(format && { response_format: schema === undefined ? format : { type: 'json_schema', json_schema: schema } }),
  }
}

function mostTokens(body: object): number {
  return Number(inputsOf(body).max_tokens)
}

/** Workers AI doesn't report why an answer ended. An answer that used all its tokens was truncated. */
function finishOf(usage: z.output<typeof counted> | null | undefined, most: number): 'stop' | 'length' {
  return usage && usage.completion_tokens >= most ? 'length' : 'stop'
}

function completionOf(model: string, { response, tool_calls, usage }: z.output<typeof native>, most: number): object {
  const content = response == null || typeof response === 'string' ? (response ?? null) : JSON.stringify(response)
  const calls = tool_calls?.map(({ name, arguments: given }, i) => ({
    id: `call_${i}`,
    type: 'function',
    function: { name, arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}) },
  }))
  const message = { role: 'assistant', content, ...(calls?.length && { tool_calls: calls }) }
  const finish_reason = calls?.length ? 'tool_calls' : finishOf(usage, most)
  return {
    id: `chatcmpl-${crypto.randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, message, finish_reason }],
    ...(usage && { usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens } }),
  }
}

function chunkOf(model: string, delta: object, finish_reason: string | null): object {
  return {
    id: 'chatcmpl-workers-ai',
    object: 'chat.completion.chunk',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, delta, finish_reason }],
  }
}

const nativeChunk = z.object({ response: z.string().nullish(), usage: counted.nullish() })

/**
 * Converts one event to OpenAI's format. Events in an unknown format are passed on, so that the reader rejects them.
 */
function translated(
  model: string,
  data: string,
  last: { usage: z.output<typeof counted> | null; said: boolean; finished: boolean },
): string {
  let parsed: unknown
  try {
    parsed = JSON.parse(data)
  } catch {
    return data
  }
  const other = openAi.safeParse(parsed)
  if (other.success) {
    last.finished ||= other.data.choices.some((choice) => (choice as { finish_reason?: unknown } | null)?.finish_reason)
    return data
  }
  const own = nativeChunk.safeParse(parsed)
  if (!own.success || (own.data.response == null && !own.data.usage)) return data
  last.said = true
  last.usage = own.data.usage ?? last.usage
  return JSON.stringify(chunkOf(model, { content: own.data.response ?? '' }, null))
}

const vectors = z.object({ data: z.array(z.array(z.unknown())), pooling: z.string().optional() })
/** Models trained to be read at their first token. Workers AI averages over all tokens by default. */
const READ_AT_FIRST_TOKEN = /\/bge-(?:small|base|large)-en/

export class WorkersAiEmbedder extends ModelEmbedder {
  /** @param served the model's name at Workers AI, e.g. `@cf/baai/bge-base-en-v1.5` */
  constructor(ai: WorkersAi, engine: Engine, model: EmbeddingModel, served: string) {
    const pooling = READ_AT_FIRST_TOKEN.test(served) ? 'cls' : undefined
    super('workers-ai', model, engine, async (text, signal) => {
      const inputs = { text, ...(pooling && { pooling }) }
      const parsed = vectors.safeParse(await readJson(await run(ai, served, inputs, signal), signal))
      if (!parsed.success) throw notOneForEach()
      if (pooling && parsed.data.pooling !== undefined && parsed.data.pooling !== pooling) {
        throw new EngineFailure('refused', `gave vectors made by ${parsed.data.pooling} pooling instead of ${pooling}`)
      }
      return parsed.data.data
    })
  }
}

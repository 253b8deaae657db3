/**
 * Converts requests of OpenAI's Responses API to chat completions: text, images and function tools. Pure.
 *
 * Responses are not stored, so a request must contain the whole conversation. Tools hosted by OpenAI (web search, code
 * interpreter) are not available here and are ignored. Other unsupported items are rejected with an error that names
 * them. Source: OpenAI API reference, responses.
 * @module
 */
import * as z from 'zod'
import { type CoordinatorError, invalidInput } from '../../errors.ts'
import { parseInput } from '../../operations/invoke.ts'
import { isObject } from '../body.ts'
import { type ChatRequest, chatRequest } from './messages.ts'

const functionTool = z.looseObject({
  type: z.literal('function'),
  name: z.string().min(1),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
})

/** The fields of a request that are translated. */
const responsesRequest = z.looseObject({
  model: z.string().min(1).max(200).default('auto'),
  input: z.preprocess(
    (input) => (typeof input === 'string' ? [{ role: 'user', content: input }] : input),
    z.array(z.looseObject({ type: z.string().optional() })).min(1),
  ),
  instructions: z.string().nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
  tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]).nullish(),
  text: z.looseObject({ format: z.looseObject({ type: z.string() }).nullish() }).nullish(),
  reasoning: z.looseObject({ effort: z.string().nullish() }).nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  stream: z.boolean().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
})

export type ResponsesRequest = z.output<typeof responsesRequest>

/** Fields with the same meaning in both APIs. */
const SHARED = ['temperature', 'top_p', 'parallel_tool_calls', 'user', 'service_tier', 'stream', 'metadata'] as const
/** Fields that need stored responses, which the coordinator doesn't have. */
const STATEFUL = ['previous_response_id', 'conversation', 'prompt'] as const

export interface TranslatedRequest {
  readonly request: ResponsesRequest
  readonly chat: ChatRequest
  /** Types of requested tools that no server here supports. */
  readonly ignoredTools: readonly string[]
}

/**
 * Translates a request.
 * @throws CoordinatorError `invalid_input` naming the field or the kind of item that is not supported
 */
export function readResponsesRequest(raw: Readonly<Record<string, unknown>>): TranslatedRequest {
  const request = parseInput(responsesRequest, raw)
  for (const field of STATEFUL) {
    if (request[field] == null) continue
    throw invalidInput(field, `${field} is not supported: responses are not stored.`, {
      hint: 'Send the whole conversation in input.',
    })
  }
  if (request.background === true) throw invalidInput('background', 'Responses in the background are not supported.')
  const tools = (request.tools ?? []).map((tool) => functionTool.safeParse(tool))
  const known = tools.flatMap(({ data }) => data ?? [])
  const ignoredTools = (request.tools ?? []).flatMap(({ type }, at) => (tools[at]?.success ? [] : [type]))
  const broken = (request.tools ?? []).findIndex(({ type }, at) => type === 'function' && !tools[at]?.success)
  if (broken >= 0) throw invalidInput(`tools[${broken}]`, `tools[${broken}] must be a function with a name.`)
  const system = request.instructions ? [{ role: 'system', content: request.instructions }] : []
  const chat = parseInput(chatRequest, {
    model: request.model,
    messages: [...system, ...messagesOf(request.input)],
    ...Object.fromEntries(SHARED.flatMap((name) => (request[name] == null ? [] : [[name, request[name]]]))),
    ...(known.length > 0 && {
      tools: known.map(({ type, name, description, parameters, strict }) => ({
        type,
        function: {
          name,
          ...(description && { description }),
          ...(parameters && { parameters }),
          ...(strict != null && { strict }),
        },
      })),
      ...toolChoiceOf(request.tool_choice),
    }),
    ...formatOf(request.text?.format),
    ...(request.reasoning?.effort && { reasoning_effort: request.reasoning.effort }),
    ...(request.max_output_tokens && { max_completion_tokens: request.max_output_tokens }),
  })
  return { request, chat, ignoredTools }
}

function toolChoiceOf(choice: ResponsesRequest['tool_choice']): object {
  if (choice == null) return {}
  if (typeof choice === 'string') return { tool_choice: choice }
  if (choice.type === 'function') return { tool_choice: { type: 'function', function: { name: choice.name } } }
  throw invalidInput(
    'tool_choice',
    `tool_choice of type ${JSON.stringify(choice.type.slice(0, 60))} is not supported.`,
    {
      hint: 'Use auto, none, required, or {"type":"function","name":"…"}.',
    },
  )
}

function formatOf(format: { readonly type: string; readonly [field: string]: unknown } | null | undefined): object {
  if (format == null || format.type === 'text') return {}
  if (format.type !== 'json_schema') return { response_format: { type: format.type } }
  const { type, ...json_schema } = format
  return { response_format: { type, json_schema } }
}

interface ChatMessage {
  role: string
  content?: unknown
  tool_calls?: object[]
  tool_call_id?: string
}

/** Converts input items to messages. Calls in one assistant turn become one message, as chat servers require. */
function messagesOf(items: readonly Readonly<Record<string, unknown>>[]): ChatMessage[] {
  const messages: ChatMessage[] = []
  for (const [at, item] of items.entries()) {
    const field = `input[${at}]`
    const type = item.type ?? 'message'
    if (type === 'message') {
      messages.push({ role: roleOf(item.role, field), content: contentOf(item.content, `${field}.content`) })
    } else if (type === 'function_call') {
      const call = {
        id: textOf(item.call_id, `${field}.call_id`),
        type: 'function',
        function: { name: textOf(item.name, `${field}.name`), arguments: textOf(item.arguments, `${field}.arguments`) },
      }
      const last = messages.at(-1)
      if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), call]
      else messages.push({ role: 'assistant', content: null, tool_calls: [call] })
    } else if (type === 'function_call_output') {
      messages.push({
        role: 'tool',
        tool_call_id: textOf(item.call_id, `${field}.call_id`),
        content: contentOf(item.output, `${field}.output`),
      })
    } else if (type !== 'reasoning') {
      throw unsupported(field, type)
    }
  }
  return messages
}

/** Chat templates of open models have no developer role. */
function roleOf(role: unknown, field: string): string {
  if (role === 'developer') return 'system'
  if (role === 'user' || role === 'assistant' || role === 'system') return role
  throw invalidInput(`${field}.role`, `${field}.role must be one of: user, assistant, system, developer.`)
}

function contentOf(content: unknown, field: string): unknown {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw invalidInput(field, `${field} must be a string or a list of parts.`)
  const parts = content.map((part, at) => partOf(part, `${field}[${at}]`))
  // Text without other parts is sent as a string: not every chat template accepts parts.
  return parts.every(({ type }) => type === 'text') ? parts.map(({ text }) => text).join('\n') : parts
}

function partOf(part: unknown, field: string): { type: string; text?: string; [field: string]: unknown } {
  if (!isObject(part)) throw invalidInput(field, `${field} must be an object.`)
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: textOf(part.text, `${field}.text`) }
    case 'refusal':
      return { type: 'text', text: textOf(part.refusal, `${field}.refusal`) }
    case 'input_image':
      if (typeof part.image_url !== 'string') {
        throw invalidInput(`${field}.image_url`, `${field} needs image_url: files are not stored here.`)
      }
      return {
        type: 'image_url',
        image_url: { url: part.image_url, ...(typeof part.detail === 'string' && { detail: part.detail }) },
      }
    default:
      throw unsupported(field, part.type)
  }
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value
  throw invalidInput(field, `${field} must be a string.`)
}

function unsupported(field: string, type: unknown): CoordinatorError {
  return invalidInput(
    field,
    `${field} is of the type ${JSON.stringify(String(type).slice(0, 60))}, which is not supported.`,
    {
      hint: 'Messages, function calls and their outputs are; use /v1/chat/completions for what only the model server knows.',
    },
  )
}

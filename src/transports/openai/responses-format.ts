/**
 * Converts answers of chat servers to the format of OpenAI's Responses API, as a whole and streamed. Pure. Source:
 * OpenAI API reference, responses and their streaming events.
 * @module
 */
import { type AnswerSoFar, isCount, type ToolCall } from './answer.ts'
import { type About, type AnswerFormat, event, type StreamFormat } from './format.ts'
import type { TranslatedRequest } from './responses-request.ts'

/** @param newId returns the part of an id after its prefix */
export function responsesFormat(
  { request, ignoredTools }: TranslatedRequest,
  createdAt: number,
  newId: () => string,
): AnswerFormat {
  const id = `resp_${newId()}`
  const told = (about: About): About => ({ ...about, ignored_tools: ignoredTools })
  const response = (status: string, model: string | null, output: readonly object[], rest: object = {}) => ({
    id,
    object: 'response',
    created_at: Math.floor(createdAt / 1000),
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    model: model ?? request.model,
    output,
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: request.temperature ?? null,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? null,
    truncation: 'disabled',
    usage: null,
    ...rest,
  })
  const ended = (answer: AnswerSoFar, output: readonly object[], about: About) => {
    const reason = incompleteReason(answer.finish)
    return response(reason ? 'incomplete' : 'completed', answer.model, output, {
      ...(reason && { incomplete_details: { reason } }),
      usage: usageOf(answer),
      hybrid_coordinator: told(about),
    })
  }
  return {
    whole: (_, answer, about) => {
      const said = answer.content !== '' || answer.refusal !== '' || answer.calls.length === 0
      const message = messageItem(`msg_${newId()}`, answer)
      const calls = answer.calls.map((call) => callItem(`fc_${newId()}`, call))
      return ended(answer, [...(said ? [message] : []), ...calls], about)
    },
    stream: (answer, about) => new ResponseEvents(answer, about, response, ended, newId),
  }
}

type MakeResponse = (status: string, model: string | null, output: readonly object[], rest?: object) => object
type EndResponse = (answer: AnswerSoFar, output: readonly object[], about: About) => object

/** An item that is being streamed. */
interface OpenItem {
  readonly id: string
  readonly at: number
  /** The current state of the item. */
  readonly item: () => object
  /** The events that end the item. */
  readonly done: () => string
}

class ResponseEvents implements StreamFormat {
  readonly #answer: AnswerSoFar
  readonly #about: () => About
  readonly #response: MakeResponse
  readonly #ended: EndResponse
  readonly #newId: () => string
  readonly #items: OpenItem[] = []
  #message: OpenItem | null = null
  readonly #calls = new Map<number, OpenItem>()
  #sequence = 0

  constructor(
    answer: AnswerSoFar,
    about: () => About,
    response: MakeResponse,
    ended: EndResponse,
    newId: () => string,
  ) {
    this.#answer = answer
    this.#about = about
    this.#response = response
    this.#ended = ended
    this.#newId = newId
  }

  chunk(_: unknown, { content, refusal, calls }: Parameters<StreamFormat['chunk']>[1]): string {
    let out = this.#begin()
    if (content !== '' || refusal !== '') {
      if (!this.#message) out += this.#openMessage(content === '')
      const place = { item_id: this.#message?.id, output_index: this.#message?.at, content_index: 0 }
      if (content !== '') out += this.#write('response.output_text.delta', { ...place, delta: content, logprobs: [] })
      if (refusal !== '') out += this.#write('response.refusal.delta', { ...place, delta: refusal })
    }
    for (const call of calls) {
      if (!this.#calls.has(call.index)) out += this.#openCall(call.index)
      const open = this.#calls.get(call.index)
      if (call.arguments === '') continue
      const place = { item_id: open?.id, output_index: open?.at }
      out += this.#write('response.function_call_arguments.delta', { ...place, delta: call.arguments })
    }
    return out
  }

  end(): string {
    let out = this.#begin()
    if (this.#items.length === 0) out += this.#openMessage(false)
    for (const { done } of this.#items) out += done()
    const response = this.#ended(
      this.#answer,
      this.#items.map(({ item }) => item()),
      this.#about(),
    )
    const incomplete = incompleteReason(this.#answer.finish) !== null
    return out + this.#write(incomplete ? 'response.incomplete' : 'response.completed', { response })
  }

  error({ error: { code, message } }: Parameters<StreamFormat['error']>[0]): string {
    const output = this.#items.map(({ item }) => ({ ...item(), status: 'incomplete' }))
    const error = { code, message }
    const response = this.#response('failed', this.#answer.model, output, {
      error,
      hybrid_coordinator: this.#about(),
    })
    return this.#begin() + this.#write('response.failed', { response })
  }

  #write(type: string, fields: object): string {
    return event(JSON.stringify({ type, sequence_number: this.#sequence++, ...fields }), type)
  }

  #begin(): string {
    if (this.#sequence > 0) return ''
    const response = this.#response('in_progress', this.#answer.model, [])
    return this.#write('response.created', { response }) + this.#write('response.in_progress', { response })
  }

  #openMessage(refuses: boolean): string {
    const id = `msg_${this.#newId()}`
    const at = this.#items.length
    const item = () => messageItem(id, this.#answer)
    const place = { item_id: id, output_index: at, content_index: 0 }
    const done = () => {
      const { content, refusal } = this.#answer
      const text = refuses
        ? this.#write('response.refusal.done', { ...place, refusal })
        : this.#write('response.output_text.done', { ...place, text: content, logprobs: [] })
      const part = this.#write('response.content_part.done', { ...place, part: partOf(this.#answer) })
      return text + part + this.#write('response.output_item.done', { output_index: at, item: item() })
    }
    this.#message = { id, at, item, done }
    this.#items.push(this.#message)
    const begun = { ...item(), status: 'in_progress', content: [] }
    const part = refuses ? { type: 'refusal', refusal: '' } : textPart('')
    return (
      this.#write('response.output_item.added', { output_index: at, item: begun }) +
      this.#write('response.content_part.added', { ...place, part })
    )
  }

  #openCall(index: number): string {
    const id = `fc_${this.#newId()}`
    const at = this.#items.length
    const order = this.#calls.size
    const call = (): ToolCall => this.#answer.calls[order] ?? { id: '', name: '', arguments: '' }
    const item = () => callItem(id, call())
    const done = () =>
      this.#write('response.function_call_arguments.done', {
        item_id: id,
        output_index: at,
        name: call().name,
        arguments: call().arguments,
      }) + this.#write('response.output_item.done', { output_index: at, item: item() })
    const open = { id, at, item, done }
    this.#calls.set(index, open)
    this.#items.push(open)
    const begun = { ...item(), status: 'in_progress', arguments: '' }
    return this.#write('response.output_item.added', { output_index: at, item: begun })
  }
}

function messageItem(id: string, answer: AnswerSoFar): object {
  return { id, type: 'message', status: 'completed', role: 'assistant', content: [partOf(answer)] }
}

function partOf({ content, refusal }: AnswerSoFar): object {
  return content === '' && refusal !== '' ? { type: 'refusal', refusal } : textPart(content)
}

const textPart = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] })

function callItem(id: string, { id: call_id, name, arguments: given }: ToolCall): object {
  return { id, type: 'function_call', status: 'completed', call_id, name, arguments: given }
}

/** Why an answer is incomplete although its server ended it; null: it is complete. */
function incompleteReason(finish: string | null): 'max_output_tokens' | 'content_filter' | null {
  if (finish === 'length') return 'max_output_tokens'
  return finish === 'content_filter' ? 'content_filter' : null
}

/** The server's token counts in the field names of this API; null if not reported. */
function usageOf({ usage, tokens }: AnswerSoFar): object | null {
  if (!usage || tokens === null) return null
  const { prompt_tokens, completion_tokens, prompt_tokens_details, completion_tokens_details } = usage
  const detail = (details: unknown, name: string) => {
    const value = (details as Record<string, unknown> | null | undefined)?.[name]
    return isCount(value) ? value : 0
  }
  return {
    input_tokens: isCount(prompt_tokens) ? prompt_tokens : 0,
    input_tokens_details: { cached_tokens: detail(prompt_tokens_details, 'cached_tokens') },
    output_tokens: isCount(completion_tokens) ? completion_tokens : 0,
    output_tokens_details: { reasoning_tokens: detail(completion_tokens_details, 'reasoning_tokens') },
    total_tokens: tokens,
  }
}

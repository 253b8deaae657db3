/**
 * Reads answers of chat servers for tracking. Unreadable parts count as unknown, and never block the answer to the
 * client. Pure.
 * @module
 */
import { isObject } from '../body.ts'

/** A chunk of a stream: any object that is not an error. */
export type Chunk = Readonly<Record<string, unknown>>

/** A tool call, assembled from its parts. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** The change that a chunk makes to the first choice. */
export interface Piece {
  readonly content: string
  readonly refusal: string
  /** Parts of tool calls: the index of the call in the answer, and its new text. */
  readonly calls: readonly (ToolCall & { readonly index: number })[]
}

/** Maximum number of tool calls in one answer. */
const MAX_CALLS = 128

/** The answer received so far. Only choice 0 is kept: with `n > 1`, the other choices are variants, not parts of it. */
export class AnswerSoFar {
  model: string | null = null
  /** Tokens of prompt and answer; null until the server reports them. */
  tokens: number | null = null
  usage: Readonly<Record<string, unknown>> | null = null
  /** Why the first choice ended; null: it hasn't ended. */
  finish: string | null = null
  content = ''
  refusal = ''
  readonly #open = new Set<number>()
  readonly #tools = new Map<number, ToolCall>()

  /** Whether every started choice has ended. */
  get finished(): boolean {
    return this.finish !== null && this.#open.size === 0
  }

  /** Reads a complete answer. Returns false if it is not a completion. */
  readCompletion(body: unknown): body is Record<string, unknown> {
    if (!isObject(body) || body.error != null) return false
    const choice = first(choicesOf(body))
    if (!isObject(choice?.message)) return false
    this.#add(pieceOf(choice.message))
    this.#about(body)
    this.finish = text(choice.finish_reason) || 'stop'
    return true
  }

  /** Reads one event of a stream. Returns null if it is an error or not a chunk. */
  readChunk(data: string): { chunk: Chunk; piece: Piece } | null {
    const chunk = parseJson(data)
    if (!isObject(chunk) || chunk.error != null) return null
    let piece: Piece = { content: '', refusal: '', calls: [] }
    for (const choice of choicesOf(chunk)) {
      const index = indexOf(choice)
      const reason = text(choice.finish_reason)
      if (reason === '') this.#open.add(index)
      else this.#open.delete(index)
      if (index !== 0) continue
      if (isObject(choice.delta)) piece = pieceOf(choice.delta)
      this.finish = reason || this.finish
    }
    this.#add(piece)
    this.#about(chunk)
    return { chunk, piece }
  }

  /** The answer as text: its content, and the tool calls as JSON. */
  get text(): string {
    const said = this.content || this.refusal
    if (this.#tools.size === 0) return said
    return [said, JSON.stringify({ tool_calls: this.calls })].filter((part) => part !== '').join('\n')
  }

  /** The tool calls, in order. */
  get calls(): readonly ToolCall[] {
    return [...this.#tools].sort(([a], [b]) => a - b).map(([, call]) => call)
  }

  #about({ model, usage }: Chunk): void {
    this.model ??= text(model) || null
    if (!isObject(usage)) return
    this.usage = usage
    this.tokens = totalOf(usage) ?? this.tokens
  }

  #add({ content, refusal, calls }: Piece): void {
    this.content += content
    this.refusal += refusal
    for (const call of calls) {
      const known = this.#tools.get(call.index) ?? { id: '', name: '', arguments: '' }
      this.#tools.set(call.index, {
        id: known.id || call.id,
        name: known.name + call.name,
        arguments: known.arguments + call.arguments,
      })
    }
  }
}

/** The choices of a completion or chunk. */
export function choicesOf({ choices }: Chunk): readonly Record<string, unknown>[] {
  return Array.isArray(choices) ? choices.filter(isObject) : []
}

function first(choices: readonly Record<string, unknown>[]): Record<string, unknown> | undefined {
  return choices.find((choice) => indexOf(choice) === 0)
}

const indexOf = ({ index }: Record<string, unknown>) => (typeof index === 'number' ? index : 0)

function pieceOf({ content, refusal, tool_calls }: Record<string, unknown>): Piece {
  const calls = (Array.isArray(tool_calls) ? tool_calls : []).filter(isObject).map((call, at) => {
    const index = typeof call.index === 'number' ? call.index : at
    const called = isObject(call.function) ? call.function : {}
    return { index, id: text(call.id), name: text(called.name), arguments: text(called.arguments) }
  })
  return {
    content: text(content) || partsOf(content),
    refusal: text(refusal),
    calls: calls.filter(({ index }) => index >= 0 && index < MAX_CALLS),
  }
}

/** Some servers send the content in parts, as in a person's message. */
function partsOf(content: unknown): string {
  return Array.isArray(content) ? content.map((part) => (isObject(part) ? text(part.text) : '')).join('') : ''
}

function totalOf({ total_tokens, prompt_tokens, completion_tokens }: Record<string, unknown>): number | null {
  if (isCount(total_tokens)) return total_tokens
  return isCount(prompt_tokens) && isCount(completion_tokens) ? prompt_tokens + completion_tokens : null
}

/** Whether a value is a token count. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

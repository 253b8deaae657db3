/**
 * Formats an answer for the client, as a chat completion or as a response. Pure.
 * @module
 */
import { type AnswerSoFar, type Chunk, choicesOf, type Piece } from './answer.ts'
import type { errorBody } from './errors.ts'

/** The coordinator's report in the answer's field `hybrid_coordinator`. */
export type About = Readonly<Record<string, unknown>>

export interface AnswerFormat {
  /** A complete answer, from the server's completion. */
  whole(completion: Readonly<Record<string, unknown>>, answer: AnswerSoFar, about: About): object
  /** Writes a streamed answer. */
  stream(answer: AnswerSoFar, about: () => About): StreamFormat
}

/** Each function returns server-sent events for the client as text; empty: none. */
export interface StreamFormat {
  /** @param data the chunk as the server sent it */
  chunk(chunk: Chunk, piece: Piece, data: string): string
  /** The answer is complete. */
  end(): string
  /** The answer broke off. Never ends cleanly, so that a fragment isn't mistaken for a complete answer. */
  error(body: ReturnType<typeof errorBody>): string
}

/** Chat completions: the server's answer with one additional field. */
export function chatFormat(includeUsage: boolean): AnswerFormat {
  return {
    whole: (completion, _, about) => ({ ...completion, hybrid_coordinator: about }),
    stream: (_, about) => ({
      chunk(chunk, __, data) {
        const choices = choicesOf(chunk)
        if (choices.length === 0 && chunk.usage && !includeUsage) return ''
        const last = choices.some(({ finish_reason }) => finish_reason)
        return event(last ? JSON.stringify({ ...chunk, hybrid_coordinator: about() }) : data)
      },
      end: () => event('[DONE]'),
      error: (body) => event(JSON.stringify(body)),
    }),
  }
}

/** One server-sent event. */
export function event(data: string, type?: string): string {
  // A server may send JSON with line breaks.
  const lines = data.split('\n').map((line) => `data: ${line}\n`)
  return `${type === undefined ? '' : `event: ${type}\n`}${lines.join('')}\n`
}

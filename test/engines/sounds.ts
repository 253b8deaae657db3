/** The answers of each healthy engine, and the same answers with wrong vectors. */
import type { Sound } from './faults.ts'
import type { Sounds } from './world.ts'

/** Size of the vectors of bge-small-en-v1.5, which these tests pretend to serve. */
export const SIZE = 384

const vector = (length: number) => Array.from({ length }, (_, i) => Math.sin(i + 1))
const withNull = [null, ...vector(SIZE - 1)]

/** An answer of an OpenAI-compatible embeddings server, with one vector per text. */
const embeddings = (texts: number, one: readonly (number | null)[]) =>
  JSON.stringify({ data: Array.from({ length: texts }, (_, index) => ({ index, embedding: one })) })

const completion = JSON.stringify({
  model: 'm',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Sixty seconds.' } }],
  usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
})
const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const stream = `${chunk({ content: 'Sixty ' })}${chunk({ content: 'seconds.' })}${chunk({}, 'stop')}data: [DONE]\n\n`

/** For a chat model, vectors are as wrong as any other unexpected answer. */
export const wrong = { wrongSize: embeddings(1, vector(3)), notANumber: embeddings(1, withNull) }

export const chatSounds: Sounds = ({ body }): Sound =>
  (body as { stream?: boolean } | null)?.stream
    ? { body: stream, type: 'text/event-stream', ...wrong }
    : { body: completion, ...wrong }

const nativeChunk = (response: string, more: object = {}) => `data: ${JSON.stringify({ response, ...more })}\n\n`
const nativeUsage = { usage: { prompt_tokens: 9, completion_tokens: 3 } }

/** Workers AI models in their own format. */
export const workersAiSounds: Sounds = ({ body }): Sound => {
  const inputs = body as { stream?: boolean; text?: string[] }
  if (inputs.text) {
    const shaped = (one: readonly (number | null)[]) => JSON.stringify({ data: inputs.text?.map(() => one) })
    return { body: shaped(vector(SIZE)), wrongSize: shaped(vector(SIZE - 1)), notANumber: shaped(withNull) }
  }
  return inputs.stream
    ? {
        body: `${nativeChunk('Sixty ')}${nativeChunk('seconds.')}${nativeChunk('', nativeUsage)}data: [DONE]\n\n`,
        type: 'text/event-stream',
        ...wrong,
      }
    : { body: JSON.stringify({ response: 'Sixty seconds.', ...nativeUsage }), ...wrong }
}

export const aidbVectors: Sounds = ({ body }): Sound => {
  const texts = (body as { texts?: unknown[] } | null)?.texts ?? []
  const shaped = (one: readonly (number | null)[]) => JSON.stringify({ embeddings: texts.map(() => one) })
  return { body: shaped(vector(SIZE)), wrongSize: shaped(vector(SIZE - 1)), notANumber: shaped(withNull) }
}

export const embeddingSounds: Sounds = ({ body }): Sound => {
  const texts = (body as { input?: unknown[] } | null)?.input?.length ?? 1
  return {
    body: embeddings(texts, vector(SIZE)),
    wrongSize: embeddings(texts, vector(SIZE - 1)),
    notANumber: embeddings(texts, withNull),
  }
}

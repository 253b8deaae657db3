/**
 * All ways in which an engine can fail, as seen by the Worker. Real connections that break are in
 * `test/inference/llama-cpp-faults.node.test.ts`; here each fault is combined with each engine, with the whole Worker.
 */
export const FAULTS = [
  'refused',
  'reset mid-body',
  'status 500',
  'status 429',
  '30 s of silence',
  'slow drip',
  'wrong size of vector',
  'NaN in a vector',
  'invalid JSON',
  'truncated stream',
  'loading',
] as const

export type Fault = (typeof FAULTS)[number]

/** Seconds in the engine's `Retry-After`. */
export const RETRY_AFTER = 7
const SILENCE_MS = 30_000
const DRIP_MS = 10_000
const JSON_TYPE = { 'content-type': 'application/json' }

/** The answers of a healthy engine, from which faulty answers are derived. */
export interface Sound {
  /** The whole body, and its type. */
  readonly body: string
  readonly type?: string
  /** The same answer with a vector that is too short, and with one that contains a non-number. */
  readonly wrongSize: string
  readonly notANumber: string
}

/** Answers one request with a fault. */
export async function failing(fault: Fault, sound: Sound, signal: AbortSignal | null | undefined): Promise<Response> {
  const headers = { 'content-type': sound.type ?? JSON_TYPE['content-type'] }
  switch (fault) {
    case 'refused':
      throw new TypeError('Network connection lost.')
    case 'reset mid-body':
      return new Response(cut(sound.body, new TypeError('Network connection lost.')), { headers })
    case 'status 500':
      return new Response('{"error":{"message":"secret stack trace"}}', { status: 500, headers: JSON_TYPE })
    case 'status 429':
      return new Response('{}', { status: 429, headers: { ...JSON_TYPE, 'retry-after': String(RETRY_AFTER) } })
    case '30 s of silence':
      await silence(signal)
      throw new TypeError('Network connection lost.')
    case 'slow drip':
      return new Response(drip(signal), { headers })
    case 'wrong size of vector':
      return new Response(sound.wrongSize, { headers: JSON_TYPE })
    case 'NaN in a vector':
      return new Response(sound.notANumber, { headers: JSON_TYPE })
    case 'invalid JSON':
      return new Response('{"data": [,]}', { headers: JSON_TYPE })
    case 'truncated stream':
      return new Response(cut(sound.body), { headers })
    case 'loading':
      return new Response('{"error":{"message":"Loading model","type":"unavailable_error","code":503}}', {
        status: 503,
        headers: JSON_TYPE,
      })
  }
}

/** Sends nothing for thirty seconds, or until the caller gives up. */
function silence(signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, SILENCE_MS)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(new DOMException('Aborted', 'AbortError'))
    })
  })
}

/** Sends one byte immediately, then one every ten seconds, without end. */
function drip(signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> {
  let bytes = 0
  return new ReadableStream({
    async pull(controller) {
      if (bytes++ > 0) await new Promise((resolve) => setTimeout(resolve, DRIP_MS))
      if (signal?.aborted) controller.error(new DOMException('Aborted', 'AbortError'))
      else controller.enqueue(new TextEncoder().encode(' '))
    },
  })
}

/** The first half of a body; then the connection breaks, or the body ends as if it were complete. */
function cut(body: string, error?: Error): ReadableStream<Uint8Array> {
  let sent = false
  return new ReadableStream({
    pull(controller) {
      if (!sent) {
        sent = true
        controller.enqueue(new TextEncoder().encode(body.slice(0, Math.floor(body.length / 2))))
      } else if (error) controller.error(error)
      else controller.close()
    },
  })
}

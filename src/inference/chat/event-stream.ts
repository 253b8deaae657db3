/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6), limited to what
 * chat servers use: the data of each event.
 * @module
 */

/** Maximum length of a line, in characters. Chat servers never send longer ones. */
const MAX_LINE_LENGTH = 1_000_000

/**
 * Yields the data of each event, in order. An event that is incomplete when the stream ends is not yielded.
 * @throws any error from reading the body; RangeError for a line that is too long
 */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let rest = ''
  let data: string[] = []
  try {
    while (true) {
      const { done, value } = await reader.read()
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true })
      if (rest.length > MAX_LINE_LENGTH) throw new RangeError('An event of the stream has no end.')
      // A carriage return at the very end may be the first half of a line break.
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield data.join('\n')
          data = []
        } else if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
      }
      if (done) return
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

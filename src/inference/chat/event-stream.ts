/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6), as far as chat servers
 * use them: the data of each event.
 * @module
 */

/** A line longer than this is not an event of a chat server, in characters. */
const MAX_LINE_LENGTH = 1_000_000

/**
 * The data of each event, in order. An event that the stream cuts off is not given.
 * @throws whatever reading the body throws; RangeError for an endless line
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
      // A carriage return at the very end may be half of a line break.
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

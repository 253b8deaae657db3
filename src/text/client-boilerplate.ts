/**
 * Removes the text that agent harnesses add around a person's request.
 * @module
 */

/** Elements whose entire content comes from a harness or a tool. */
const NOISE =
  /^(?:system[-_]?(?:reminder|prompt|message|info|instruction|instructions|warning|notification)?|(?:mcp[-_])?tool[-_]?(?:result|results|use|call|calls|output|response|error|use[-_]error)|function[-_](?:results?|calls?|outputs?|response)|(?:local[-_])?command[-_](?:stdout|stderr|output|caveat|name|message|contents)|bash[-_](?:stdout|stderr|output)|std(?:out|err)|environment[-_](?:context|details|info)|env|user[-_](?:instructions|rules|info|memory|memories)|project[-_](?:layout|context|instructions)|open[-_](?:files|tabs)|(?:attached|opened|recent|recently[-_]viewed)[-_]files?|file[-_]contents?|additional[-_]data|cursor[-_]rules(?:[-_]context)?|git[-_]?status|todo[-_]?list|memories|memory|thinking|reasoning|scratchpad|context[-_](?:window|summary)|conversation[-_]summary|ide[-_](?:selection|opened[-_]file|diagnostics)|new[-_]diagnostics|session[-_](?:start|context)[-_]?(?:hook)?|user[-_]prompt[-_]submit[-_]hook|automated[-_]reminder(?:[-_]from[-_]\w+)?|retrieved[-_](?:context|knowledge)|knowledge[-_]context)$/

/** Elements that only wrap the person's text. */
const WRAPPER =
  /^(?:user(?:[-_](?:query|message|request|prompt|input|question))?|human|query|question|prompt|request|task|message|instructions?|feedback|answer|command[-_]args|bash[-_]input)$/

const TAG = /<(\/?)([A-Za-z][A-Za-z0-9_-]{0,40})(?:\s[^<>]{0,300})?>/g

/** A request without added text. */
export interface CleanRequest {
  readonly text: string
  /** Share of the characters that were removed, 0 to 1. */
  readonly removedShare: number
}

interface Tag {
  readonly name: string
  readonly closing: boolean
  readonly start: number
  readonly end: number
}

/**
 * Removes the elements of agent harnesses (system reminders, tool results, environment details) with their content, and
 * unwraps elements that contain the request itself. Keeps other tags, such as HTML in a question. Linear time.
 */
export function withoutHarnessText(text: string): CleanRequest {
  if (!text.includes('<')) return { text, removedShare: 0 }
  const tags: Tag[] = []
  for (const match of text.matchAll(TAG)) {
    const name = (match[2] ?? '').toLowerCase()
    if (NOISE.test(name) || WRAPPER.test(name)) {
      tags.push({ name, closing: match[1] === '/', start: match.index, end: match.index + match[0].length })
    }
  }
  const closings = new Map<string, Tag[]>()
  for (const tag of tags.toReversed()) {
    if (!tag.closing) continue
    const same = closings.get(tag.name)
    if (same) same.push(tag)
    else closings.set(tag.name, [tag])
  }
  const kept: string[] = []
  let at = 0
  for (const tag of tags) {
    if (tag.start < at) continue
    kept.push(text.slice(at, tag.start))
    at = tag.end
    if (!tag.closing && NOISE.test(tag.name)) at = closingAfter(closings.get(tag.name), tag.end)?.end ?? tag.end
  }
  kept.push(text.slice(at))
  const clean = kept.join('\n').trim()
  return { text: clean, removedShare: text.length > 0 ? Math.max(0, 1 - clean.length / text.trim().length) : 0 }
}

/** The first closing tag at or after a position. The list is in decreasing order; earlier tags are removed from it. */
function closingAfter(falling: Tag[] | undefined, place: number): Tag | undefined {
  while (falling && falling.length > 0) {
    const last = falling.at(-1)
    if (last && last.start >= place) return last
    falling.pop()
  }
  return undefined
}

/**
 * Finds the position where a text is not valid JSON. Engines report it in different formats, and omit the position for
 * short texts.
 * @module
 */

/** A position in a text: `line` and `column` count from 1, `offset` from 0 in UTF-16 code units. */
export interface JsonErrorPlace {
  readonly offset: number
  readonly line: number
  readonly column: number
  /** What the grammar allows at this position. */
  readonly expected: string
}

type State = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma' | 'end'

const EXPECTED: Record<State, string> = {
  value: 'a value',
  'value or ]': 'a value or "]"',
  key: 'a property name in double quotes',
  'key or }': 'a property name in double quotes or "}"',
  colon: '":"',
  comma: '"," or the closing bracket',
  end: 'the end of the text',
}

const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/**
 * Finds the first position where `text` violates the grammar of JSON (RFC 8259).
 * @returns null if the text is JSON
 */
export function locateJsonError(text: string): JsonErrorPlace | null {
  const open: ('{' | '[')[] = []
  let state: State = 'value'
  let at = 0
  const fail = (offset: number, expected: string = EXPECTED[state]) => place(text, offset, expected)
  const closed = () => {
    open.pop()
    state = open.length === 0 ? 'end' : 'comma'
  }
  for (;;) {
    while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at++
    if (at >= text.length) return state === 'end' ? null : fail(at)
    const char = text.charAt(at)
    if (state === 'colon') {
      if (char !== ':') return fail(at)
      state = 'value'
      at++
    } else if (state === 'comma') {
      const inObject = open.at(-1) === '{'
      if (char === ',') state = inObject ? 'key' : 'value'
      else if (char === (inObject ? '}' : ']')) closed()
      else return fail(at, inObject ? '"," or "}"' : '"," or "]"')
      at++
    } else if (char === '}' && state === 'key or }') {
      closed()
      at++
    } else if (char === ']' && state === 'value or ]') {
      closed()
      at++
    } else if (state === 'key' || state === 'key or }') {
      if (char !== '"') return fail(at)
      const string = scanString(text, at)
      if (string.expected !== null) return fail(string.end, string.expected)
      at = string.end
      state = 'colon'
    } else if (state === 'end') {
      return fail(at)
    } else if (char === '{' || char === '[') {
      open.push(char)
      state = char === '{' ? 'key or }' : 'value or ]'
      at++
    } else {
      if (char === '"') {
        const string = scanString(text, at)
        if (string.expected !== null) return fail(string.end, string.expected)
        at = string.end
      } else {
        LITERAL.lastIndex = at
        const literal = LITERAL.exec(text)
        if (!literal) return fail(at)
        at += literal[0].length
      }
      state = open.length === 0 ? 'end' : 'comma'
    }
  }
}

/** Scans a string from its opening quote. `end` is after the closing quote or at the error. */
function scanString(text: string, start: number): { end: number; expected: string | null } {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '"') return { end: at + 1, expected: null }
    if (char < ' ')
      return { end: at, expected: 'an escape such as \\n (control characters are not allowed in a string)' }
    if (char !== '\\') continue
    const escaped = text.charAt(at + 1)
    if (escaped === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6)))
        return { end: at, expected: 'four hexadecimal digits after \\u' }
      at += 5
    } else if ('"\\/bfnrt'.includes(escaped) && escaped !== '') at++
    else return { end: at, expected: 'a valid escape after the backslash' }
  }
  return { end: text.length, expected: 'the closing quote of a string' }
}

function place(text: string, offset: number, expected: string): JsonErrorPlace {
  let line = 1
  let lineStart = 0
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++
    lineStart = at + 1
  }
  return { offset, line, column: offset - lineStart + 1, expected }
}

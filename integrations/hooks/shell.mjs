/**
 * Splits a shell command into simple commands and the operators between them. Covers typical commands of agents.
 * Commands that only a real shell can interpret (substitutions, here-documents, loops) are marked as complex. Pure
 * functions.
 * @module
 */

/** Keywords of the shell language. */
const KEYWORD = /^(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|function|select|\[\[|!)$/

/**
 * @typedef {object} SimpleCommand
 * @property {string[]} words without redirections; quotes are removed
 * @property {'&&' | '||' | '|' | ';' | '&' | ''} next the operator after it; empty at the end
 */

/**
 * @param {string} text
 * @returns {{ commands: SimpleCommand[], complex: boolean }}
 */
export function splitCommand(text) {
  const commands = []
  let words = []
  let word = null
  let dropWord = false
  let complex = false
  const endWord = () => {
    if (word !== null && !dropWord) words.push(word)
    if (word !== null) dropWord = false
    word = null
  }
  const endCommand = (next) => {
    endWord()
    if (words.length > 0) commands.push({ words, next })
    else if (commands.length > 0 && next !== ';') complex = true
    words = []
  }
  const source = withoutGroup(text.trim())
  for (let at = 0; at < source.length; at++) {
    const [char, after] = [source[at], source[at + 1]]
    if (char === '\\') {
      if (after !== '\n') word = (word ?? '') + (after ?? '')
      at++
    } else if (char === "'" || char === '"') {
      const end = closingQuote(source, at)
      if (end < 0) return { commands, complex: true }
      const quoted = source.slice(at + 1, end)
      if (char === '"' && /\$\(|`/.test(quoted)) complex = true
      word = (word ?? '') + quoted
      at = end
    } else if (char === '`' || (char === '$' && after === '(') || (char === '<' && (after === '<' || after === '('))) {
      complex = true
      word = (word ?? '') + char
    } else if (char === '(' || char === ')') complex = true
    else if (char === '#' && word === null) {
      while (at + 1 < source.length && source[at + 1] !== '\n') at++
    } else if (char === '>' || char === '<' || (char === '&' && after === '>')) {
      if (word !== null && /^\d+$/.test(word)) word = null
      endWord()
      while (/[>&|]/.test(source[at + 1] ?? '')) at++
      dropWord = true
    } else if (char === '&' || char === '|') {
      const double = after === char
      endCommand(double ? char + char : char)
      if (double || (char === '|' && after === '&')) at++
    } else if (char === ';' || char === '\n') endCommand(';')
    else if (/\s/.test(char)) endWord()
    else word = (word ?? '') + char
  }
  endCommand('')
  const last = commands.at(-1)
  if (last?.next === ';') last.next = ''
  return { commands, complex: complex || commands.some(({ words: [first = ''] }) => KEYWORD.test(first)) }
}

/** Unwraps `(a && b)` and `{ a; }`. */
function withoutGroup(text) {
  const inside = /^\(([^()]*)\)$/.exec(text) ?? /^\{\s([^{}]*);?\s*\}$/.exec(text)
  return inside ? inside[1] : text
}

function closingQuote(text, open) {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\' && text[open] === '"') at++
    else if (text[at] === text[open]) return at
  }
  return -1
}

/**
 * Displays stored text: code with line numbers and colours, Markdown as elements. Stored text never becomes markup,
 * because everything is built from elements and text nodes.
 * @module
 */
import { h } from './dom.js'
import { copyButton } from './parts.js'

const KEYWORDS = new Set(
  `abstract and as async await begin break case catch class const continue def default defer delete do elif else end enum export extends
  extern false final finally fn for from func function go if impl implements import in interface is lambda let loop match mod module mut
  new nil none not null or package pass private protected pub public raise return self static struct super switch this throw throws trait
  true try type typeof undefined unless use using val var void when where while with yield None True False Self`
    .split(/\s+/)
    .filter(Boolean),
)
/** Comments, strings, numbers and words in most languages. A `#` comment must follow a space or the start of a line. */
const TOKENS =
  /(\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|(?<=^|\s)#(?!\[|include|define|if|endif|pragma)[^\n]*|<!--[\s\S]*?(?:-->|$))|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\b(\d[\w.]*)\b|([A-Za-z_$][\w$]*)/gm

/** Code as coloured text. */
function coloured(text) {
  const parts = []
  let at = 0
  for (const match of text.matchAll(TOKENS)) {
    const [whole, comment, string, number, word] = match
    const kind = comment ? 'comment' : string ? 'string' : number ? 'digit' : KEYWORDS.has(word) ? 'keyword' : null
    if (kind === null) continue
    if (match.index > at) parts.push([null, text.slice(at, match.index)])
    parts.push([kind, whole])
    at = match.index + whole.length
  }
  parts.push([null, text.slice(at)])
  return parts
}

/**
 * Code, with one element per line.
 * @param {string} text
 * @param {number} [first] number of the first line; 0: lines have no numbers
 */
export function code(text, first = 0) {
  const lines = [[]]
  for (const [kind, part] of coloured(text)) {
    for (const [i, piece] of part.split('\n').entries()) {
      if (i > 0) lines.push([])
      if (piece !== '') lines.at(-1).push(kind ? h(`span.${kind}`, {}, piece) : piece)
    }
  }
  return h(
    'pre.code',
    { tabindex: '0' },
    ...lines.map((line, i) =>
      h(
        'span.line',
        {},
        first > 0 ? h('span.number', { 'aria-hidden': 'true' }, String(first + i)) : null,
        ...line,
        '\n',
      ),
    ),
  )
}

/** Bold, code and links within a line. Only web addresses become links. */
function inline(text) {
  const parts = []
  let at = 0
  for (const match of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g)) {
    const [whole, fixed, bold, label, address] = match
    parts.push(text.slice(at, match.index))
    parts.push(
      fixed
        ? h('code', {}, fixed)
        : bold
          ? h('strong', {}, bold)
          : h('a', { href: address, rel: 'noreferrer noopener', target: '_blank' }, label),
    )
    at = match.index + whole.length
  }
  parts.push(text.slice(at))
  return parts
}

/** Markdown: headings, lists, quotations, code blocks and paragraphs. Everything else is shown as written. */
export function markdown(text) {
  const blocks = []
  const lines = text.split('\n')
  let i = 0
  while (i < lines.length) {
    const line = lines[i]
    const fence = /^(`{3,}|~{3,})/.exec(line)
    if (fence) {
      const start = ++i
      while (i < lines.length && !lines[i].startsWith(fence[1])) i++
      blocks.push(code(lines.slice(start, i).join('\n')))
      i++
    } else if (/^#{1,6} /.test(line)) {
      blocks.push(h('p.heading', {}, ...inline(line.replace(/^#+ /, ''))))
      i++
    } else if (/^\s*([-*+]|\d+[.)]) /.test(line)) {
      const items = []
      while (i < lines.length && /^\s*([-*+]|\d+[.)]) |^\s{2,}\S/.test(lines[i])) {
        if (/^\s*([-*+]|\d+[.)]) /.test(lines[i])) items.push(lines[i].replace(/^\s*([-*+]|\d+[.)]) /, ''))
        else items[items.length - 1] += ` ${lines[i].trim()}`
        i++
      }
      const number = /^\s*(\d+)/.exec(line)?.[1]
      blocks.push(h(number ? 'ol' : 'ul', { start: number }, ...items.map((item) => h('li', {}, ...inline(item)))))
    } else if (line.startsWith('>')) {
      const start = i
      while (i < lines.length && lines[i].startsWith('>')) i++
      blocks.push(
        h(
          'blockquote',
          {},
          markdown(
            lines
              .slice(start, i)
              .map((one) => one.replace(/^> ?/, ''))
              .join('\n'),
          ),
        ),
      )
    } else if (line.trim() === '') i++
    else {
      const start = i
      while (i < lines.length && lines[i].trim() !== '' && !/^(`{3,}|~{3,}|#{1,6} |>|\s*[-*+] )/.test(lines[i])) i++
      if (i === start) i++
      blocks.push(h('p', {}, ...inline(lines.slice(start, i).join('\n'))))
    }
  }
  return h('div.markdown', {}, ...blocks)
}

const PROSE = /\.(md|mdx|markdown|rst|txt|adoc)(?::|#|$|\s)/i

/**
 * One passage: its source and its text. Prose is shown as Markdown, everything else as code.
 * @param {{ source: string, text: string, href?: string | null, prose?: boolean, note?: string | null }} passage `source` is path:lines and symbol, or a title
 */
export function passage({ source, text, href, prose, note }) {
  const first = Number(/:(\d+)/.exec(source)?.[1] ?? 0)
  const whole = !text.includes('\n…\n')
  const isProse = prose ?? PROSE.test(source)
  return h(
    'figure.passage',
    {},
    h(
      'figcaption',
      {},
      href ? h('a', { href }, source) : h('span', {}, source),
      note ? h('span.muted', {}, note) : null,
      copyButton(text),
    ),
    isProse ? markdown(text) : code(text, whole ? first : 0),
  )
}

/** The text of a stored item: its code, or its prose in Markdown. */
export function itemText({ collection, fields }) {
  if (collection === 'codebase-context') return fields.code_snippet ?? ''
  const list = (title, values) =>
    Array.isArray(values) && values.length > 0
      ? `\n\n## ${title}\n\n${values.map((value) => `- ${value}`).join('\n')}`
      : ''
  const text = fields.solution ?? fields.correction ?? fields.description ?? fields.response ?? ''
  return `${text}${fields.usage_pattern ? `\n\n## Usage\n\n${fields.usage_pattern}` : ''}${list('Examples', fields.examples)}${list('Anti-patterns', fields.anti_patterns)}${list('References', fields.references)}`
}

/** The title of an item: path, lines and symbol of code, otherwise its title or question. */
export function itemTitle({ fields, key }) {
  if (fields.file_path) {
    const lines = fields.start_line ? `:${fields.start_line}${fields.end_line ? `-${fields.end_line}` : ''}` : ''
    const symbol = fields.symbols?.[0] ? ` ${fields.symbols[0]}` : ''
    return `${fields.file_path}${lines}${symbol}`
  }
  return (
    fields.skill_name ?? fields.error_message ?? fields.title ?? fields.query ?? beginningOf(fields.description) ?? key
  )
}

const beginningOf = (text) => (typeof text === 'string' ? text.split('\n')[0].slice(0, 120) : undefined)

/**
 * Formats that are not plain text, or not text to be cut as it is: each becomes the text that a reader sees in it. The
 * libraries are loaded when the first file of their kind is there.
 * @module
 */
import { condenseJson, condenseSql } from './condense.ts'
import { type Language, languageOf } from './languages.ts'

/** The text of a file in another format. */
export interface Rendered {
  text: string
  /** How it is cut. */
  language: Language
  /** The file's line of each line of the text; empty: the text's lines are not the file's. */
  lines?: number[]
  /** Something was left out of it. */
  shortened?: boolean
}

const MARKDOWN = languageOf('a.md')
const named = (name: string): Language => ({ ...MARKDOWN, name })

/** Formats that are read from bytes, and are no text. */
export function isDocumentFormat(path: string): boolean {
  return /\.(?:docx|pdf)$/i.test(path)
}

/** A document as Markdown. @returns undefined when it can't be read, or holds no text (a scan) */
export async function renderDocument(path: string, bytes: Buffer): Promise<Rendered | undefined> {
  try {
    const text = /\.pdf$/i.test(path) ? await pdfText(bytes) : await docxText(bytes)
    return text.trim() === '' ? undefined : { text, language: named(/\.pdf$/i.test(path) ? 'pdf' : 'docx'), lines: [] }
  } catch {
    return undefined
  }
}

async function pdfText(bytes: Buffer): Promise<string> {
  const { extractText, getDocumentProxy } = await import('unpdf')
  const document = await getDocumentProxy(new Uint8Array(bytes), { verbosity: 0 })
  const { text } = await extractText(document, { mergePages: false })
  const pages = text.map((page) =>
    page
      .replace(/[ \t]+/g, ' ')
      .trim()
      .toWellFormed(),
  )
  return pages.flatMap((page, i) => (page === '' ? [] : [`## Page ${i + 1}\n\n${page}`])).join('\n\n')
}

async function docxText(bytes: Buffer): Promise<string> {
  const { default: mammoth } = await import('mammoth')
  const { value } = await mammoth.convertToHtml(
    { buffer: bytes },
    { convertImage: mammoth.images.imgElement(async () => ({ src: '' })) },
  )
  return htmlToMarkdown(value)
}

/** Parts of a page that are the same on every page, or are not read. */
const PAGE_FURNITURE = new Set([
  'nav',
  'script',
  'style',
  'noscript',
  'svg',
  'iframe',
  'template',
  'img',
  'button',
  'form',
])

/** A page as Markdown: what a reader sees, without navigation and pictures. */
export async function htmlToMarkdown(html: string): Promise<string> {
  const [{ fromHtml }, { toMdast }, { toMarkdown }, { gfmToMarkdown }] = await Promise.all([
    import('hast-util-from-html'),
    import('hast-util-to-mdast'),
    import('mdast-util-to-markdown'),
    import('mdast-util-gfm'),
  ])
  const tree = toMdast(fromHtml(html), {
    handlers: Object.fromEntries([...PAGE_FURNITURE].map((name) => [name, () => undefined])),
  })
  return toMarkdown(tree, { extensions: [gfmToMarkdown()], bullet: '-', rule: '-', fences: true })
    .replace(/\[([^\]]*)\]\((?:#|javascript:)[^)]*\)/g, '$1')
    .replace(/\n{3,}/g, '\n\n')
}

const TEMPLATE = /\{\{|\{%|<%|\[\[|\b(?:ng-|v-|x-|:|@)[a-z-]+=|<\?php|\$\{/
const MARKUP = /<[^>]*>/g

/** Whether HTML is a page to be read: prose in tags, not a template or a program in a page. */
function isPage(text: string): boolean {
  if (
    !/<(?:!doctype html|html|body)\b/i.test(text.slice(0, 2_000)) ||
    TEMPLATE.test(text.replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, ''))
  )
    return false
  const scripts = (text.match(/<script\b[\s\S]*?<\/script>/gi) ?? []).join('').length
  const words = text
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, '')
    .replace(MARKUP, ' ')
    .replace(/\s+/g, ' ').length
  return words > 200 && words > scripts
}

interface Cell {
  cell_type?: string
  source?: string | string[]
  outputs?: { text?: string | string[]; data?: Record<string, string | string[]>; evalue?: string; ename?: string }[]
}

const joined = (text: string | string[] | undefined): string => (Array.isArray(text) ? text.join('') : (text ?? ''))
/** Characters of a cell's output that are kept. */
const KEPT_OUTPUT = 1_500

/** A notebook as Markdown: text, code in fences, outputs as text without pictures; undefined when it is none. */
export function notebookText(text: string): string | undefined {
  let notebook: {
    cells?: Cell[]
    worksheets?: { cells?: Cell[] }[]
    metadata?: Record<string, { name?: string; language?: string }>
  }
  try {
    notebook = JSON.parse(text)
  } catch {
    return undefined
  }
  const cells = notebook.cells ?? notebook.worksheets?.flatMap((sheet) => sheet.cells ?? [])
  if (!Array.isArray(cells)) return undefined
  const { language_info: info, kernelspec } = notebook.metadata ?? {}
  const language = info?.name ?? kernelspec?.language ?? 'python'
  const fence = (content: string, name: string): string => {
    const marks = '`'.repeat(Math.max(3, ...(content.match(/`+/g) ?? []).map((run) => run.length + 1)))
    return `${marks}${name}\n${content.replace(/\n+$/, '')}\n${marks}`
  }
  const parts: string[] = []
  for (const cell of cells) {
    const source = joined(cell.source ?? (cell as { input?: string | string[] }).input)
    if (source.trim() === '') continue
    parts.push(cell.cell_type === 'code' ? fence(source, language) : source.trim())
    for (const output of cell.outputs ?? []) {
      const shown =
        joined(output.text ?? output.data?.['text/plain']) || [output.ename, output.evalue].filter(Boolean).join(': ')
      if (shown.trim() !== '')
        parts.push(fence(shown.length > KEPT_OUTPUT ? `${shown.slice(0, KEPT_OUTPUT).toWellFormed()}…` : shown, 'text'))
    }
  }
  return parts.join('\n\n')
}

/** Sizes in characters from which data is shortened. */
const LARGE_DATA = 200_000

/**
 * A text file as it is to be cut, when that is not as it is.
 * @param path - its path
 * @param text - the decoded file
 * @returns undefined for a file that is cut as it is
 */
export async function renderText(path: string, text: string): Promise<Rendered | undefined> {
  const extension = path.split('.').pop()?.toLowerCase()
  if (extension === 'ipynb') {
    const markdown = notebookText(text)
    return markdown === undefined ? undefined : { text: markdown, language: named('jupyter'), lines: [] }
  }
  if (/^x?html?$/.test(extension ?? '')) {
    if (!isPage(text)) return undefined
    return { text: await htmlToMarkdown(text), language: named('html'), lines: [] }
  }
  if (extension === 'sql' && text.length > LARGE_DATA) return { ...condenseSql(text), language: languageOf(path) }
  if (extension === 'json' && (text.length > LARGE_DATA || text.length / text.split('\n').length > 500)) {
    const condensed = condenseJson(text)
    return condensed && { ...condensed, language: languageOf(path) }
  }
  return undefined
}

/** Whether a file that is larger than others may be is shortened, so that its size does not matter. */
export function isCondensed(path: string): boolean {
  return /\.(?:sql|json|ipynb|html?|xhtml|pdf|docx)$/i.test(path)
}

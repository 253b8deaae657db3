/**
 * Converts a file to the items that the coordinator stores, one per chunk.
 * @module
 */
import { kindOfFile } from '../../src/text/file-kind.ts'
import type { KnowledgeItem } from './api.ts'
import { jsonBytes } from './batches.ts'
import { type Chunk, type CutAsText, cutText } from './chunk.ts'
import type { Content } from './read.ts'

/** Number of characters from which a file's kind is determined. */
const HEAD = 8_000
/** Maximum number of items in a document, because it is replaced in one request. */
export const MAX_ITEMS = 400
/** Maximum size of a document's items as JSON, with room for the rest of the request. */
const MAX_BYTES = 1_500_000
/** Maximum number of documents from one file. */
const MAX_PARTS = 25

/** The items of a file. */
export interface BuiltDocument {
  /** Items of each document from the file: one document, unless the file is large. */
  parts: KnowledgeItem[][]
  /** Why a file of a language with a grammar was split as plain text. */
  cut?: CutAsText
}

function itemOf(chunk: Chunk, path: string, shared: KnowledgeItem['fields'], lines?: readonly number[]): KnowledgeItem {
  const fields: KnowledgeItem['fields'] = {
    file_path: path,
    code_snippet: chunk.context === '' ? chunk.text : `${chunk.context}\n${chunk.text}`,
    ...shared,
  }
  const start = lines ? lines[chunk.startLine - 1] : chunk.startLine
  const end = lines ? lines[chunk.endLine - 1] : chunk.endLine
  if (start !== undefined && end !== undefined) Object.assign(fields, { start_line: start, end_line: end })
  if (chunk.symbols.length > 0) fields.symbols = chunk.symbols
  if (chunk.purpose) fields.purpose = chunk.purpose
  return { key: chunk.key, fields }
}

/**
 * The items of a file. A file of more than 400 chunks becomes several documents.
 * @param path - path relative to the folder, with `/`
 * @throws RangeError if there would be more than 25
 */
export async function buildDocument(
  path: string,
  { text, language, lines }: Content,
  framework: string | undefined,
): Promise<BuiltDocument> {
  const kind = kindOfFile(path, text.slice(0, HEAD))
  const shared: KnowledgeItem['fields'] = { language: language.name, kind }
  if (framework) shared.framework = framework
  const { chunks, cut } = await cutText(text, language)
  const parts: KnowledgeItem[][] = [[]]
  let bytes = 0
  for (const chunk of chunks) {
    const item = itemOf(chunk, path, shared, lines)
    const size = jsonBytes(item)
    let part = parts.at(-1) ?? []
    if (part.length >= MAX_ITEMS || (part.length > 0 && bytes + size > MAX_BYTES)) {
      part = []
      bytes = 0
      parts.push(part)
    }
    part.push(item)
    bytes += size
  }
  if (parts.length > MAX_PARTS)
    throw new RangeError(
      `more than ${MAX_PARTS * MAX_ITEMS} chunks: leave it out (a line in .hybridignore) or split it`,
    )
  return { parts, cut }
}

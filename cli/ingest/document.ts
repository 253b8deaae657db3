/**
 * Turns one file into the items that the coordinator stores, one for each chunk.
 * @module
 */
import type { KnowledgeItem } from './api.ts'
import { type Chunk, type CutAsText, cutText } from './chunk.ts'
import type { Language } from './languages.ts'
import { DEFAULT_SIZES } from './pack.ts'

/** Items a document may have; a document is replaced in one request. */
export const MAX_ITEMS = 400

/** The items of a file. */
export interface BuiltDocument {
  items: KnowledgeItem[]
  /** Why a file of a language with a grammar was cut as plain text. */
  cut?: CutAsText
}

function itemOf(chunk: Chunk, path: string, shared: KnowledgeItem['fields']): KnowledgeItem {
  const fields: KnowledgeItem['fields'] = {
    file_path: path,
    code_snippet: chunk.context === '' ? chunk.text : `${chunk.context}\n${chunk.text}`,
    ...shared,
    start_line: chunk.startLine,
    end_line: chunk.endLine,
  }
  if (chunk.symbols.length > 0) fields.symbols = chunk.symbols
  if (chunk.purpose) fields.purpose = chunk.purpose
  return { key: chunk.key, fields }
}

/**
 * The items of a file. A file that would come to more than 400 chunks is cut into larger ones.
 * @param path - path relative to the folder, with `/`
 * @param text - the decoded file
 * @throws RangeError when even chunks of 24,000 characters are too many
 */
export async function buildDocument(
  path: string,
  text: string,
  language: Language,
  framework: string | undefined,
): Promise<BuiltDocument> {
  const shared: KnowledgeItem['fields'] = { language: language.name }
  if (framework) shared.framework = framework
  for (let scale = 1; scale <= 8; scale *= 2) {
    const { target, maximum, minimum } = DEFAULT_SIZES
    const { chunks, cut } = await cutText(text, language, {
      target: target * scale,
      maximum: maximum * scale,
      minimum: minimum * scale,
    })
    if (chunks.length > MAX_ITEMS) continue
    return { items: chunks.map((chunk) => itemOf(chunk, path, shared)), cut }
  }
  throw new RangeError(
    `more than ${MAX_ITEMS} chunks of ${DEFAULT_SIZES.maximum * 8} characters: leave it out or split it`,
  )
}

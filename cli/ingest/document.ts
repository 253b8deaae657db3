/**
 * Turns one file into the document the coordinator stores: its hash and one item for each chunk.
 * @module
 */
import { createHash } from 'node:crypto'
import type { KnowledgeDocument, KnowledgeItem } from './api.ts'
import { CHUNKER_VERSION, type Chunk, chunkText } from './chunk.ts'
import type { Language } from './languages.ts'
import { DEFAULT_SIZES } from './pack.ts'

/** Items a document may have; a document is replaced in one request. */
export const MAX_ITEMS = 400

/**
 * The hash stored with a document: of everything its items depend on.
 * @param bytes - the file as on disk
 * @param framework - from the manifest
 */
export function documentHash(bytes: Buffer, framework: string | undefined): string {
  return createHash('sha256')
    .update(`${CHUNKER_VERSION}\n${framework ?? ''}\n`)
    .update(bytes)
    .digest('hex')
}

function itemOf(chunk: Chunk, path: string, language: string, framework: string | undefined): KnowledgeItem {
  const fields: KnowledgeItem['fields'] = {
    file_path: path,
    code_snippet: chunk.context === '' ? chunk.text : `${chunk.context}\n${chunk.text}`,
    language,
    start_line: chunk.startLine,
    end_line: chunk.endLine,
  }
  if (chunk.symbols.length > 0) fields.symbols = chunk.symbols
  if (chunk.purpose) fields.purpose = chunk.purpose
  if (framework) fields.framework = framework
  return { key: chunk.key, fields }
}

/**
 * The document of a file. A file that would come to more than 400 chunks is cut into larger ones.
 * @param path - path relative to the folder, with `/`
 * @param text - the decoded file
 * @throws RangeError when even chunks of 24,000 characters are too many
 */
export async function buildDocument(
  path: string,
  text: string,
  hash: string,
  language: Language,
  framework: string | undefined,
): Promise<KnowledgeDocument> {
  for (let scale = 1; scale <= 8; scale *= 2) {
    const { target, maximum, minimum } = DEFAULT_SIZES
    const chunks = await chunkText(text, language, {
      target: target * scale,
      maximum: maximum * scale,
      minimum: minimum * scale,
    })
    if (chunks.length > MAX_ITEMS) continue
    return { path, hash, items: chunks.map((chunk) => itemOf(chunk, path, language.name, framework)) }
  }
  throw new RangeError(
    `more than ${MAX_ITEMS} chunks of ${DEFAULT_SIZES.maximum * 8} characters: leave it out or split it`,
  )
}

/**
 * Recognises knowledge files by their location.
 * @module
 */

/** The knowledge folder of a code base: `.hybrid/<collection>/*.md`. */
export const KNOWLEDGE_FOLDER = '.hybrid'

/** Collections allowed in a `.hybrid` folder: knowledge that a team writes and reviews. */
export const FILE_COLLECTIONS = ['best-practices', 'error-solutions', 'skills-patterns', 'learning-feedback'] as const

/** Collections whose files are items. Code and documents are split into chunks instead. */
export type ItemCollection = (typeof FILE_COLLECTIONS)[number] | 'interaction-history'

/** Whether files of a collection are items. */
export function isItemCollection(collection: string): collection is ItemCollection {
  return collection === 'interaction-history' || FILE_COLLECTIONS.some((name) => name === collection)
}

/** Whether a file is read as an item. */
export function isMarkdown(path: string): boolean {
  return /\.(?:md|mdx|markdown|mdown)$/i.test(path)
}

/** The collection of a file in the knowledge folder; undefined for every other file. */
export function collectionOf(path: string): ItemCollection | undefined {
  const [folder, collection = '', ...rest] = path.split('/')
  const known = FILE_COLLECTIONS.find((name) => name === collection)
  return folder === KNOWLEDGE_FOLDER && rest.length > 0 && isMarkdown(path) ? known : undefined
}

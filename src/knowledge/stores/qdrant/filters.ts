/**
 * Filter conditions for the points of a project.
 * @module
 */
import type { Schemas } from '@qdrant/js-client-rest'
import type { EmbeddingSpace } from '../../../inference/embedding/embedder.ts'
import { vectorName } from './connection.ts'
import { itemFilter, type Origin } from './points.ts'

/** Points of a project that have not been embedded in a space. */
export function missingFilter(project: string, space: EmbeddingSpace): Schemas['Filter'] {
  return { ...itemFilter(project), must_not: [{ key: 'embedded', match: { value: vectorName(space) } }] }
}

/** Items of any of the given documents. */
export function documentsFilter(project: string, documents: readonly Origin[]): Schemas['Filter'] {
  return { ...itemFilter(project), should: documents.map((origin) => ({ must: documentFilter(project, origin).must })) }
}

/** Items of one document. */
export function documentFilter(project: string, { source, path }: Origin): { must: Schemas['Condition'][] } {
  return {
    must: [
      ...itemFilter(project).must,
      { key: 'source', match: { value: source } },
      { key: 'path', match: { value: path } },
    ],
  }
}

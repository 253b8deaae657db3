/**
 * MCP resources: the collections and their items, read through the operations.
 * @module
 */
import {
  type CompleteResult,
  type ReadResourceResult,
  type Resource,
  ResourceNotFoundError,
  type ResourceTemplateType,
} from '@modelcontextprotocol/server'
import { CoordinatorError } from '../../errors.ts'
import { COLLECTION_NAMES, COLLECTIONS } from '../../knowledge/collections.ts'
import type { Caller } from '../../operations/operation.ts'

/** Runs an operation by name for the caller of the request. */
export type RunOperation = (name: string, input: object) => Promise<object>

const COLLECTIONS_URI = 'knowledge://collections'
const MIME_TYPE = 'application/json'

/** URI templates of readable resources. */
export const RESOURCE_TEMPLATES: ResourceTemplateType[] = [
  {
    name: 'collection',
    title: 'Items of a collection',
    uriTemplate: 'knowledge://{project}/{collection}',
    description: `The first items of a collection: ${COLLECTION_NAMES.join(', ')}.`,
    mimeType: MIME_TYPE,
  },
  {
    name: 'item',
    title: 'A knowledge item',
    uriTemplate: 'knowledge://{project}/{collection}/{id}',
    description: 'One item with all its fields. A context id is its collection and id.',
    mimeType: MIME_TYPE,
  },
]

/** The list of resources: the overview, and each collection of the caller's project. */
export function resourcesOf(caller: Caller): Resource[] {
  const project = caller.project ?? 'default'
  return [
    {
      uri: COLLECTIONS_URI,
      name: 'collections',
      title: 'Collections',
      description: 'All collections with their fields and how much each holds.',
      mimeType: MIME_TYPE,
    },
    ...COLLECTION_NAMES.map((name) => ({
      uri: `knowledge://${project}/${name}`,
      name,
      title: COLLECTIONS[name].heading,
      description: COLLECTIONS[name].description,
      mimeType: MIME_TYPE,
    })),
  ]
}

/** Completes an argument of a template or prompt. Only collections have known values. */
export function complete({ name, value }: { name: string; value: string }): CompleteResult {
  const values = name === 'collection' ? COLLECTION_NAMES.filter((collection) => collection.startsWith(value)) : []
  return { completion: { values, total: values.length, hasMore: false } }
}

/**
 * Reads a resource.
 * @throws ResourceNotFoundError for an unknown URI; CoordinatorError if its parts are not valid
 */
export async function readResource(uri: string, caller: Caller, run: RunOperation): Promise<ReadResourceResult> {
  try {
    return { contents: [{ uri, mimeType: MIME_TYPE, text: JSON.stringify(await read(uri, caller, run)) }] }
  } catch (thrown) {
    if (thrown instanceof CoordinatorError && thrown.code === 'not_found')
      throw new ResourceNotFoundError(uri.slice(0, 500))
    throw thrown
  }
}

async function read(uri: string, caller: Caller, run: RunOperation): Promise<object> {
  if (uri === COLLECTIONS_URI) return run('list_collections', { project: caller.project ?? 'default' })
  const match = /^knowledge:\/\/([^/?#]+)\/([^/?#]+)(?:\/([^/?#]+))?$/.exec(uri)
  if (!match) throw new ResourceNotFoundError(uri.slice(0, 500))
  const [project, collection, id] = match.slice(1).map((part) => (part === undefined ? undefined : decode(part)))
  return id === undefined
    ? run('list_knowledge', { project, collection })
    : run('get_knowledge', { project, collection, id })
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

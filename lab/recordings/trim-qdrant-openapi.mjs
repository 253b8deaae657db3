/**
 * Reduces Qdrant's published OpenAPI document to the adapter's calls, for the strict stub in its tests.
 *
 *   node scripts/trim-qdrant-openapi.mjs <qdrant>/docs/redoc/v1.19.x/openapi.json
 *
 * Descriptions and examples are removed; the schemas are unchanged. Qdrant is licensed under Apache-2.0.
 */
import { readFile, writeFile } from 'node:fs/promises'

const OPERATIONS = [
  ['get', '/collections/{collection_name}'],
  ['put', '/collections/{collection_name}'],
  ['delete', '/collections/{collection_name}'],
  ['put', '/collections/{collection_name}/index'],
  ['put', '/collections/{collection_name}/vectors/{vector_name}'],
  ['delete', '/collections/{collection_name}/vectors/{vector_name}'],
  ['post', '/collections/{collection_name}/points'],
  ['put', '/collections/{collection_name}/points'],
  ['post', '/collections/{collection_name}/points/delete'],
  ['post', '/collections/{collection_name}/points/payload'],
  ['post', '/collections/{collection_name}/points/vectors/delete'],
  ['post', '/collections/{collection_name}/points/batch'],
  ['post', '/collections/{collection_name}/points/count'],
  ['post', '/collections/{collection_name}/points/scroll'],
  ['post', '/collections/{collection_name}/points/query/batch'],
]
const TARGET = new URL('../../test/fixtures/qdrant/openapi.json', import.meta.url)

const source = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'))
const schemas = {}

function strip(node, isNames = false) {
  if (Array.isArray(node)) return node.map((entry) => strip(entry))
  if (node === null || typeof node !== 'object') return node
  if (typeof node.$ref === 'string') {
    const name = node.$ref.split('/').at(-1)
    if (!(name in schemas)) {
      schemas[name] = null
      schemas[name] = strip(source.components.schemas[name])
    }
    return { $ref: node.$ref }
  }
  const kept = {}
  for (const [key, value] of Object.entries(node)) {
    if (!isNames && ['description', 'example', 'examples', 'title', 'deprecated', 'default'].includes(key)) continue
    kept[key] = strip(value, key === 'properties')
  }
  return kept
}

const paths = {}
for (const [method, path] of OPERATIONS) {
  const operation = source.paths[path][method]
  paths[path] ??= {}
  paths[path][method] = {
    operationId: operation.operationId,
    parameters: strip(operation.parameters ?? []),
    requestBody: strip(operation.requestBody?.content?.['application/json']?.schema ?? null),
  }
}
await writeFile(
  TARGET,
  `${JSON.stringify({ source: 'Qdrant 1.19 OpenAPI, shortened', license: 'Apache-2.0', paths, schemas }, null, 1)}\n`,
)
console.log(`${OPERATIONS.length} operations, ${Object.keys(schemas).length} schemas`)

import * as z from 'zod'
import { fromBase64 } from '../../encoding.ts'
import { invalidInput } from '../../errors.ts'
import type { ItemVector } from '../../knowledge/stores/store.ts'
import { collectionName, project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

/** Maximum number of vectors in one call. */
const MAX_VECTORS = 200

/** Stores vectors that the client computed. */
export const storeVectors = operation({
  name: 'store_vectors',
  group: 'knowledge',
  title: 'Store vectors',
  description:
    'Stores vectors that a client computed of the texts of list_pending_vectors. A sample is computed again; one that differs ' +
    'refuses the call. Items that have changed since are left out.',
  scope: 'write',
  annotations: SETS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/knowledge/vectors' }],
  input: z.strictObject({
    project,
    collection: collectionName.default('codebase-context'),
    space: z.string().max(200).describe('Space of the vectors, as list_pending_vectors names it.'),
    vectors: z
      .array(
        z.strictObject({
          id: z.uuid(),
          hash: z.string().max(100),
          vector: z
            .string()
            .max(20_000)
            .nullable()
            .describe(
              'One signed byte for each dimension, the longest direction ±127, in base64; null: the text has no word.',
            ),
        }),
      )
      .min(1)
      .max(MAX_VECTORS),
  }),
  output: z.object({
    stored: z.int(),
    complete: z.boolean().describe('Whether every item of the collection has been embedded.'),
  }),
  async run(services, input) {
    const { dimensions } = services.embedder.space
    if (!services.knowledge.takeVectors) {
      throw invalidInput('space', `Vectors of ${input.space} are not taken.`, {
        hint: 'Leave them out: the server computes them.',
      })
    }
    const vectors = input.vectors.map(({ id, hash, vector }, at): ItemVector => {
      return { id, hash, vector: vector === null ? null : decoded(vector, dimensions, `vectors[${at}].vector`) }
    })
    const complete = await services.knowledge.takeVectors(input, input.space, vectors)
    return { stored: vectors.length, complete }
  },
})

/** Decodes a vector of signed bytes and scales it to unit length. */
function decoded(text: string, dimensions: number, field: string): Float32Array {
  const bytes = fromBase64(text)
  if (!bytes) throw invalidInput(field, `${field} is not base64.`)
  if (bytes.length !== dimensions) {
    throw invalidInput(field, `${field} has ${bytes.length} bytes; the space has ${dimensions} dimensions.`, {
      limit: dimensions,
      hint: 'Send one signed byte for each dimension.',
    })
  }
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  const norm = Math.sqrt(codes.reduce((sum, code) => sum + code * code, 0))
  if (norm === 0) throw invalidInput(field, `${field} has no length.`, { hint: 'Send null for a text without a word.' })
  return Float32Array.from(codes, (code) => code / norm)
}

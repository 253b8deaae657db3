import * as z from 'zod'
import { invalidInput } from '../../errors.ts'
import {
  COMPARISON_PHASES,
  COMPARISON_START,
  comparePages,
  type Fingerprint,
  MIGRATION_PHASES,
  MIGRATION_START,
  migratePage,
} from '../../knowledge/stores/migrate.ts'
import type { CollectionScope, TransferStore } from '../../knowledge/stores/store.ts'
import { collectionName, project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

const storeName = z.enum(['embedded', 'qdrant'])
const summary = z.strictObject({
  items: z.int(),
  documents: z.int(),
  with_vector: z.int(),
  checksum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Of all content, credit and times; the order of items does not matter.'),
})
const cursor = z.string().max(3000).nullable()
const copyPosition = z.strictObject({ phase: z.enum(MIGRATION_PHASES), cursor })
const comparePosition = z.strictObject({
  phase: z.enum(COMPARISON_PHASES),
  cursor,
  sums: z.strictObject({ from: summary, to: summary }),
})
const position = z.union([copyPosition, comparePosition])

export const migrateStore = operation({
  name: 'migrate_store',
  group: 'administration',
  title: 'Migrate a knowledge store',
  description:
    'Copies one page of a collection from one knowledge store to another, with vectors, credit and times. Call it again ' +
    'with the position that it returns until that is null. A page may be copied twice. With `verify` it compares both, ' +
    'as far as one call may read, and is called again in the same way.',
  scope: 'admin',
  annotations: SETS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/knowledge/migrate' }],
  input: z.strictObject({
    project,
    collection: collectionName,
    from: storeName,
    to: storeName.describe('The same store as `from`: nothing is copied, the pages are counted.'),
    position: position.optional().describe('Where to go on; left out: at the beginning.'),
    prune: z
      .boolean()
      .default(false)
      .describe('Remove from the target what the source does not hold; send it with every page.'),
    verify: z.boolean().default(false).describe('Copy nothing; sum up both stores. Send it with every page.'),
  }),
  output: z.object({
    items: z.int().describe('Items of this page.'),
    documents: z.int().describe('Documents of this page.'),
    removed: z.int().describe('Items and documents that were removed from the target.'),
    next: position.nullable(),
    summaries: z
      .object({ from: summary, to: summary, equal: z.boolean() })
      .nullable()
      .describe('Of both stores, once all is read.'),
  }),
  async run(services, input) {
    const from = services.stores?.[input.from]
    const to = services.stores?.[input.to]
    if (!from || !to) {
      throw invalidInput(from ? 'to' : 'from', 'This store is not configured.', { hint: 'Set QDRANT_URL.' })
    }
    if (input.verify) return verify(from, to, input, input.position)
    if (input.position && 'sums' in input.position) throw invalidInput('position', WRONG_POSITION)
    const target = input.from === input.to ? null : to
    const step = await migratePage(from, target, input, input.position ?? MIGRATION_START, input.prune)
    return { ...step, summaries: null }
  },
})

const WRONG_POSITION = 'This position is of the other kind of call: one with `verify`, or one without.'

/** Compares fingerprints of both stores, as many pages as one call can read. */
async function verify(
  from: TransferStore,
  to: TransferStore,
  scope: CollectionScope,
  given: z.infer<typeof position> | undefined,
) {
  if (given && !('sums' in given)) throw invalidInput('position', WRONG_POSITION)
  const start = given
    ? { ...given, sums: { from: fingerprintOf(given.sums.from), to: fingerprintOf(given.sums.to) } }
    : COMPARISON_START
  const { sums, next } = await comparePages(from, to, scope, start)
  const view = { from: summaryOf(sums.from), to: summaryOf(sums.to) }
  const equal = JSON.stringify(view.from) === JSON.stringify(view.to)
  return {
    items: 0,
    documents: 0,
    removed: 0,
    next: next && { ...next, sums: view },
    summaries: next ? null : { ...view, equal },
  }
}

function summaryOf({ withVector, ...rest }: Fingerprint): z.infer<typeof summary> {
  return { ...rest, with_vector: withVector }
}

function fingerprintOf({ with_vector: withVector, ...rest }: z.infer<typeof summary>): Fingerprint {
  return { ...rest, withVector }
}

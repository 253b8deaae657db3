import * as z from 'zod'
import { invalidInput } from '../../errors.ts'
import { fingerprint, MIGRATION_PHASES, MIGRATION_START, migratePage } from '../../knowledge/stores/migrate.ts'
import { collectionName, project } from '../fields.ts'
import { operation, SETS } from '../operation.ts'

const storeName = z.enum(['embedded', 'qdrant'])
const position = z.strictObject({ phase: z.enum(MIGRATION_PHASES), cursor: z.string().max(3000).nullable() })
const summary = z.object({
  items: z.int(),
  documents: z.int(),
  with_vector: z.int(),
  checksum: z.string().describe('Of all content, credit and times; the order of items does not matter.'),
})

export const migrateStore = operation({
  name: 'migrate_store',
  group: 'administration',
  title: 'Migrate a knowledge store',
  description:
    'Copies one page of a collection from one knowledge store to another, with vectors, credit and times. Call it again ' +
    'with the position that it returns until that is null. A page may be copied twice. With `verify` it compares both.',
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
    verify: z.boolean().default(false).describe('Copy nothing; sum up both stores.'),
  }),
  output: z.object({
    items: z.int().describe('Items of this page.'),
    documents: z.int().describe('Documents of this page.'),
    removed: z.int().describe('Items and documents that were removed from the target.'),
    next: position.nullable(),
    summaries: z.object({ from: summary, to: summary, equal: z.boolean() }).nullable(),
  }),
  async run(services, input) {
    const from = services.stores?.[input.from]
    const to = services.stores?.[input.to]
    if (!from || !to) {
      throw invalidInput(from ? 'to' : 'from', 'This store is not configured.', { hint: 'Set QDRANT_URL.' })
    }
    if (input.verify) {
      const [a, b] = [await fingerprint(from, input), await fingerprint(to, input)]
      const view = ({ withVector, ...rest }: typeof a) => ({ ...rest, with_vector: withVector })
      const equal = JSON.stringify(a) === JSON.stringify(b)
      return { items: 0, documents: 0, removed: 0, next: null, summaries: { from: view(a), to: view(b), equal } }
    }
    const target = input.from === input.to ? null : to
    const step = await migratePage(from, target, input, input.position ?? MIGRATION_START, input.prune)
    return { ...step, summaries: null }
  },
})

/**
 * The items that the product's ingestion creates from a folder, without a coordinator.
 * @module
 */
import type { HttpClient } from '../../../cli/harness.ts'
import { ingestFolder } from '../../../cli/ingest/folder.ts'
import { identityOf } from '../../../cli/ingest/identity.ts'
import { parseOptions } from '../../../cli/ingest/options.ts'
import { createReport } from '../../../cli/ingest/report.ts'
import { indexedText } from '../../../src/knowledge/prepare.ts'
import { redactAll } from '../../../src/security/redact.ts'

/** One stored item. */
export interface Item {
  readonly fields: Readonly<Record<string, unknown>>
  readonly title: string
  readonly body: string
}

/** The items of a folder. */
export async function itemsOf(folder: string): Promise<Item[]> {
  const items: Item[] = []
  const post = (_: string, body: unknown) => {
    const { documents } = body as { documents: { path: string; items: { fields: Record<string, unknown> }[] }[] }
    for (const { fields: given } of documents.flatMap((document) => document.items)) {
      const fields = redactAll(given)
      items.push({ fields, ...indexedText('codebase-context', fields) })
    }
    return { results: documents.map(({ path, items: added }) => ({ path, status: 'indexed', added: added.length })) }
  }
  const http = {
    get: async () => ({ documents: [], next_cursor: null }),
    post: async (path: string, body: unknown) => post(path, body),
  }
  const options = parseOptions([folder], {})
  if (!options) throw new Error('The options of ingestion were not understood.')
  const place = { project: 'train', collection: 'codebase-context', source: folder }
  const report = createReport({ ...place, kind: 'folder', input: folder, dry_run: false })
  await ingestFolder(folder, {
    http: http as unknown as HttpClient,
    place,
    identity: identityOf(folder, undefined),
    repository: undefined,
    options,
    report,
    stopped: () => false,
  })
  return items
}

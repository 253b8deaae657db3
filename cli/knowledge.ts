/**
 * `knowledge`: exports learnt patterns and corrections as files, so that they can be reviewed and versioned with the
 * code.
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ListedItem, listItems } from './ingest/api.ts'
import { formatKnowledgeFile, parseKnowledgeFile } from './ingest/knowledge-file.ts'
import { FILE_COLLECTIONS, type ItemCollection, KNOWLEDGE_FOLDER } from './ingest/knowledge-place.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from './shared/args.ts'
import { createHttpClient, HttpError, UnreachableError } from './shared/http.ts'
import { plural, style } from './shared/terminal.ts'

const HELP = `Usage: npm run knowledge -- export [folder] [options]
       npm run knowledge -- migrate --from embedded --to qdrant [options]

Writes what was learnt, stored or corrected as Markdown files in FOLDER/.hybrid/<collection>, one file an item: a proposal
that can be reviewed, committed and merged. \`npm run ingest\` reads the files back into the same items.

Options
  --project NAME     project (default: default)
  --collection NAME  only this collection; may be repeated (default: ${FILE_COLLECTIONS.join(', ')})
  --dry-run          say what would be written
  --url URL          the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY          API key (default: HYBRID_API_KEY)
  -h, --help         print this
`

/** The result of an export, by path relative to the folder. */
export interface Exported {
  added: string[]
  changed: string[]
  unchanged: number
}

/** Letters and digits of a title, for a file name. */
function slug(title: string): string {
  const words =
    title
      .normalize('NFKD')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  return (
    words
      .join('-')
      .slice(0, 60)
      .replace(/-[^-]*$/, (tail) => (words.join('-').length > 60 ? '' : tail)) || 'item'
  )
}

/** Existing files, by the key of their item. */
async function existing(folder: string, collection: ItemCollection): Promise<Map<string, string>> {
  const byKey = new Map<string, string>()
  for await (const path of glob(`${KNOWLEDGE_FOLDER}/${collection}/**/*.md`, { cwd: folder })) {
    const parsed = parseKnowledgeFile(
      collection,
      path,
      readFileSync(join(folder, path), 'utf8').replace(/\r\n?/g, '\n'),
    )
    if (typeof parsed !== 'string' && parsed.keyed && parsed.item.key) byKey.set(parsed.item.key, path)
  }
  return byKey
}

const sameFields = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean => {
  const sorted = (fields: object): string => JSON.stringify(Object.entries(fields).sort(([x], [y]) => (x < y ? -1 : 1)))
  return sorted(a) === sorted(b)
}

/** The path for an item's file, or undefined if no file should be written. */
function pathFor(
  folder: string,
  collection: ItemCollection,
  item: ListedItem,
  known: ReadonlyMap<string, string>,
  taken: ReadonlySet<string>,
): string | undefined {
  // An item that came from a file of this folder and was corrected since is written back to that file.
  if (item.path !== null) {
    const isOurs = item.path.startsWith(`${KNOWLEDGE_FOLDER}/${collection}/`) && existsSync(join(folder, item.path))
    return isOurs ? item.path : undefined
  }
  const there = known.get(item.key)
  if (there !== undefined) return there
  const title = String(
    item.fields.title ?? item.fields.error_message ?? item.fields.skill_name ?? item.fields.query ?? item.key,
  )
  for (let i = 1; ; i++) {
    const path = `${KNOWLEDGE_FOLDER}/${collection}/${slug(title)}${i === 1 ? '' : `-${i}`}.md`
    if (!taken.has(path) && !existsSync(join(folder, path))) return path
  }
}

/**
 * Writes the items of a collection as files. A file with the same content is not changed, whatever its formatting.
 * @param items - every item of the collection
 */
export async function exportItems(
  folder: string,
  collection: ItemCollection,
  items: readonly ListedItem[],
  dryRun = false,
): Promise<Exported> {
  const known = await existing(folder, collection)
  const taken = new Set<string>()
  const exported: Exported = { added: [], changed: [], unchanged: 0 }
  for (const item of items) {
    const path = pathFor(folder, collection, item, known, taken)
    if (path === undefined) continue
    taken.add(path)
    const file = join(folder, path)
    const there = existsSync(file) ? readFileSync(file, 'utf8').replace(/\r\n?/g, '\n') : undefined
    const before = there === undefined ? undefined : parseKnowledgeFile(collection, path, there)
    if (before !== undefined && typeof before !== 'string' && sameFields(before.item.fields, item.fields)) {
      exported.unchanged++
      continue
    }
    const keyed = item.path === null || (before !== undefined && typeof before !== 'string' && before.keyed)
    const stated = ['human', 'model'].includes(item.provenance) ? item.provenance : undefined
    exported[there === undefined ? 'added' : 'changed'].push(path)
    if (dryRun) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(
      file,
      formatKnowledgeFile(collection, { ...(keyed && { key: item.key, provenance: stated }), fields: item.fields }),
    )
  }
  return exported
}

/** Runs the command. Exit codes: 0 done, 1 refused or unreachable, 2 usage error. */
export async function run(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  if (argv[0] === 'migrate') return (await import('./migrate-store.ts')).run(argv.slice(1))
  try {
    const { values, positionals } = parseArguments(argv, {
      project: { type: 'string' },
      collection: { type: 'string', multiple: true },
      'dry-run': { type: 'boolean' },
      url: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const [action, folder = '.', ...more] = positionals
    if (action !== 'export' || more.length > 0) throw new UsageError('use export [folder]')
    const base = env.npm_lifecycle_event === 'knowledge' ? (env.INIT_CWD ?? '.') : '.'
    const root = join(folder.startsWith('/') ? '/' : base, folder)
    if (!existsSync(root)) throw new UsageError(`${folder} does not exist`)
    const collections = values.collection?.map((name) => {
      const known = FILE_COLLECTIONS.find((one) => one === name)
      if (!known) throw new UsageError(`--collection must be one of ${FILE_COLLECTIONS.join(', ')}`)
      return known
    })
    const url = parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), '--url')
    const http = createHttpClient({ url, key: values.key || env.HYBRID_API_KEY || undefined })
    let written = 0
    for (const collection of collections ?? FILE_COLLECTIONS) {
      const items = await listItems(http, values.project ?? 'default', collection)
      const { added, changed, unchanged } = await exportItems(root, collection, items, values['dry-run'])
      for (const path of added) process.stdout.write(`new      ${path}\n`)
      for (const path of changed) process.stdout.write(`changed  ${path}\n`)
      if (unchanged > 0) process.stdout.write(`same     ${plural(unchanged, 'file')} of ${collection}\n`)
      written += added.length + changed.length
    }
    process.stdout.write(
      written === 0
        ? 'Nothing to propose.\n'
        : `${plural(written, 'file')}. Review with git diff, commit what is right, and ingest the folder.\n`,
    )
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'knowledge --')
    if (error instanceof HttpError || error instanceof UnreachableError) {
      process.stderr.write(`${style('red', error.message)}\n`)
      return 1
    }
    throw error
  }
}

/**
 * Options of `ingest`, parsed and checked before anything is read or sent.
 * @module
 */
import { resolve } from 'node:path'
import { parseArguments, parseSize, parseUrl, UsageError } from '../shared/args.ts'

/** The options of a run. */
export interface IngestOptions {
  input: string
  url: string
  key?: string
  project: string
  /** As given. The default for a folder is `codebase-context`. */
  collection?: string
  /** As given. The default is derived from the folder. */
  source?: string
  include: string[]
  exclude: string[]
  maxFileSize: number
  dryRun: boolean
  replace: boolean
  json: boolean
  /** Whether the report lists every skipped path. */
  verbose: boolean
  /** Whether to print only failures. */
  quiet: boolean
  /** Whether to ingest again when a file changes. */
  watch: boolean
  /** In a dry run, only detect changed files, without splitting them. */
  compareOnly?: boolean
}

/** The output of `--help`. */
export const HELP = `Usage: npm run ingest -- <folder | file.jsonl | exported chat> [options]

Reads a folder of code and prose into codebase-context, cut along its structure, or JSON Lines into any collection.
Folders of Markdown go to any collection; exported chats (Claude, ChatGPT, Claude Code) become interactions.
Running it again sends only what changed and removes what was deleted.

Options
  --source NAME         name the folder's documents are stored under (default: the git remote's owner/name, the package
                        name, or the folder's name)
  --project NAME        project (default: default)
  --collection NAME     collection; required for .jsonl (default for folders: codebase-context)
  --include PATTERN     only files that match, in .gitignore form, also those left out for what they are; may be
                        repeated; nothing is removed then
  --exclude PATTERN     leave out what matches, in .gitignore form; may be repeated
  --max-file-size SIZE  leave out larger files (default: 2M; SQL, JSON, notebooks and pages are shortened instead)
  --replace             do what is refused otherwise: take over another folder's name, remove more than half
  --dry-run             cut and compare, send nothing
  --watch               stay, and ingest again whenever a file changes
  --quiet               print nothing unless something failed: for hooks
  --verbose             name every file that was left out
  --json                print the report as one JSON object, with every file that was left out
  --url URL             the coordinator (default: HYBRID_URL or http://127.0.0.1:8787)
  --key KEY             API key (default: HYBRID_API_KEY)
  -h, --help            print this

Exit codes: 0 done, 1 something was rejected or failed, 2 wrong usage, 130 interrupted.
`

const DEFAULT_URL = 'http://127.0.0.1:8787'
/** Default maximum size of a file; `--max-file-size` overrides it. */
export const DEFAULT_MAX_FILE_SIZE = parseSize('2M', '--max-file-size')

function nonEmpty(value: string | undefined, option: string): string | undefined {
  if (value !== undefined && value.trim() === '') throw new UsageError(`${option} must not be empty`)
  return value
}

/**
 * Parses the command's arguments.
 * @returns undefined if help was requested
 * @throws UsageError
 */
export function parseOptions(argv: string[], env: NodeJS.ProcessEnv): IngestOptions | undefined {
  const { values, positionals } = parseArguments(argv, {
    source: { type: 'string' },
    project: { type: 'string' },
    collection: { type: 'string' },
    include: { type: 'string', multiple: true },
    exclude: { type: 'string', multiple: true },
    'max-file-size': { type: 'string' },
    replace: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    json: { type: 'boolean' },
    verbose: { type: 'boolean' },
    quiet: { type: 'boolean' },
    watch: { type: 'boolean' },
    url: { type: 'string' },
    key: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  })
  if (values.help) return undefined
  const [input, ...more] = positionals
  if (input === undefined || input === '') throw new UsageError('name a folder or a .jsonl file')
  if (more.length > 0) throw new UsageError(`one folder or file at a time, not also "${more[0]}"`)
  // npm runs scripts in the package's folder. A relative path refers to the user's folder.
  const base = env.npm_lifecycle_event === 'ingest' ? env.INIT_CWD : undefined
  return {
    input: base ? resolve(base, input) : input,
    url: parseUrl(values.url ?? (env.HYBRID_URL || DEFAULT_URL), values.url === undefined ? 'HYBRID_URL' : '--url'),
    key: values.key || env.HYBRID_API_KEY || undefined,
    project: nonEmpty(values.project, '--project') ?? 'default',
    collection: nonEmpty(values.collection, '--collection'),
    source: nonEmpty(values.source, '--source'),
    include: values.include ?? [],
    exclude: values.exclude ?? [],
    maxFileSize: values['max-file-size']
      ? parseSize(values['max-file-size'], '--max-file-size')
      : DEFAULT_MAX_FILE_SIZE,
    dryRun: values['dry-run'] ?? false,
    replace: values.replace ?? false,
    json: values.json ?? false,
    verbose: values.verbose ?? false,
    quiet: values.quiet ?? false,
    watch: values.watch ?? false,
  }
}

/**
 * `deploy -- backup` and `deploy -- restore`: saves everything that a deployed coordinator holds to one file, and restores
 * it.
 * @module
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { stringify } from 'smol-toml'
import { ArchiveError, exists, pack, refuseToOverwrite, unpack, usualName } from '../shared/archive.ts'
import { parseArguments, parseUrl, reportUsage, UsageError } from '../shared/args.ts'
import { confirm } from '../shared/confirm.ts'
import { createHttpClient, type HttpClient, HttpError, UnreachableError } from '../shared/http.ts'
import { count, plural, style } from '../shared/terminal.ts'
import { query, type RemoteDatabase, removal, runFile, saveDatabase } from './database.ts'
import { type RemoteBucket, restoreFiles, restoreObjects, saveFiles, saveObjects } from './objects.ts'
import type { Plan } from './plan.ts'
import { findDatabaseId, StepError, signIn, undoLine, type World } from './steps.ts'

const HELP = `Usage: npm run deploy -- backup [file.tar.gz] [options]
       npm run deploy -- restore file.tar.gz [options]

Saves what a deployed coordinator holds to one file: the database, knowledge with its vectors, conversations, datasets and archived
interactions. restore verifies the checksum of every file before it changes anything, and replaces what the coordinator holds. After an
interruption, run it again. Both need HYBRID_URL, HYBRID_API_KEY (the admin key) and the Cloudflare account of the deployment.

Options
  --name NAME    name of the Worker (default: hybrid-coordinator)
  --yes          restore: don't ask
  -h, --help     print this
`

/** A deployed coordinator, and the user. */
export interface Deployed {
  readonly plan: Plan
  readonly world: World
  /** Options that make wrangler use the deployed resources. */
  readonly where: readonly string[]
  readonly client: HttpClient
  /** Asks the user; null: there is no terminal. */
  confirm(question: string): Promise<boolean | null>
}

/** The description of a backup, stored in it. */
interface Description {
  readonly format: typeof FORMAT
  readonly worker: string
  readonly savedAt: string
  /** The last migration of its database. */
  readonly migration: string
}

const FORMAT = 1
const FILES = { description: 'coordinator.json', database: 'database.sql', objects: 'objects.jsonl', files: 'files' }

/** Time between two questions whether a deletion is complete, and how many may report no progress. */
const PAUSE_MS = 1_000
const IDLE = 120

/**
 * Runs `backup` or `restore`, the first argument. Exit codes: 0 done, 1 failed, 2 usage error.
 * @param planFor the plan of a Worker by its name
 */
export async function run(
  argv: string[],
  planFor: (name: string | undefined) => Promise<Plan>,
  world: World,
): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv, {
      name: { type: 'string' },
      yes: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      world.print(HELP)
      return 0
    }
    const [command, name, ...more] = positionals
    if (more.length > 0) throw new UsageError(`Unexpected argument "${more[0]}".`)
    if (command === 'restore' && name === undefined) throw new UsageError('Name the file to restore.')
    if (!world.env.HYBRID_URL || !world.env.HYBRID_API_KEY)
      throw new UsageError('Set HYBRID_URL to the address of the coordinator, and HYBRID_API_KEY to its admin key.')
    const plan = await planFor(values.name)
    const url = parseUrl(world.env.HYBRID_URL, 'HYBRID_URL')
    const client = createHttpClient({ url, key: world.env.HYBRID_API_KEY, timeoutMs: 300_000 })
    const deployed = { plan, world, where: ['--remote'], client, confirm }
    const file = resolve(world.env.INIT_CWD ?? process.cwd(), name ?? usualName(plan.worker))
    await (command === 'restore' ? restore(file, deployed, values.yes ?? false) : backup(file, deployed))
    return 0
  } catch (error) {
    if (error instanceof UsageError) return reportUsage(error, 'deploy -- backup')
    const known = [StepError, ArchiveError, HttpError, UnreachableError].some((kind) => error instanceof kind)
    if (!known) throw error
    process.stderr.write(`${style('red', (error as Error).message)}\n`)
    return 1
  }
}

/**
 * Writes the archive, atomically. Changes nothing in the coordinator.
 * @throws StepError, ArchiveError, HttpError, UnreachableError
 */
export async function backup(file: string, deployed: Deployed): Promise<void> {
  const { client, world, plan } = deployed
  await refuseToOverwrite(file)
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-backup-'))
  try {
    const { database, bucket } = await open(deployed, folder)
    const { rows, projects, conversations, changed } = await saveDatabase(database, join(folder, FILES.database))
    const total = Object.values(rows).reduce((sum, n) => sum + n, 0)
    done(world, `Database: ${count(total)} rows in ${plural(Object.keys(rows).length, 'table')}`)
    const counts = await saveObjects(client, projects, conversations, join(folder, FILES.objects))
    done(
      world,
      `Knowledge: ${plural(counts.items, 'item')}, ${plural(counts.documents, 'document')}; ${plural(counts.conversations, 'conversation')}`,
    )
    if (counts.damaged.length > 0)
      world.print(`${style('yellow', '!')} Left out, because they can't be read: ${counts.damaged.join(', ')}\n`)
    const { files, tooLarge } = await saveFiles(client, bucket, join(folder, FILES.files))
    done(world, `Bucket: ${plural(files, 'file')}`)
    warnOf(world, tooLarge)
    const description: Description = {
      format: FORMAT,
      worker: plan.worker,
      savedAt: new Date().toISOString(),
      migration: await lastMigration(database),
    }
    await writeFile(join(folder, FILES.description), JSON.stringify(description, null, 2))
    const { bytes } = await pack(file, folder, Object.values(FILES))
    done(world, `${file}: ${(bytes / 1e6).toFixed(1)} MB`)
    if (changed.length > 0)
      world.print(
        `${style('yellow', '!')} Written during the backup, and perhaps only in part in it: ${changed.join(', ')}. ` +
          'For an exact one, let no agent write meanwhile.\n',
      )
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

/**
 * Replaces what the coordinator holds with the content of an archive. The database is replaced last, in one step, so an
 * interrupted restore can be repeated.
 * @param yes don't ask
 * @throws StepError, ArchiveError, HttpError, UnreachableError; before any change, if the archive is damaged
 */
export async function restore(file: string, deployed: Deployed, yes: boolean): Promise<void> {
  const { client, world, plan } = deployed
  if (!(await exists(file))) throw new ArchiveError(`${file} does not exist.`)
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-restore-'))
  try {
    await unpack(file, folder)
    const { migration, worker, savedAt } = await describe(file, folder, plan)
    done(world, `${file} is complete: ${worker}, ${savedAt}`)
    const { database, bucket } = await open(deployed, folder)
    const projects = await projectsOf(client)
    await confirmReplacement(deployed, projects, database, yes)
    const undo = projects.length > 0 ? await undoLine(plan, world) : null
    for (const project of projects) await erase(client, project, world)
    if (projects.length > 0) done(world, `Deleted: ${plural(projects.length, 'project')}`)
    const { files, tooLarge } = await restoreFiles(bucket, join(folder, FILES.files))
    done(world, `Bucket: ${plural(files, 'file')}`)
    warnOf(world, tooLarge)
    const counts = await restoreObjects(client, join(folder, FILES.objects))
    done(
      world,
      `Knowledge: ${plural(counts.items, 'item')}, ${plural(counts.documents, 'document')}; ${plural(counts.conversations, 'conversation')}`,
    )
    const script = join(folder, 'restore.sql')
    await writeFile(script, await removal(database))
    await pipeline(createReadStream(join(folder, FILES.database)), createWriteStream(script, { flags: 'a' }))
    await runFile(database, script)
    done(world, 'Database')
    if (migration !== plan.migrations.at(-1))
      world.print('The backup is of an earlier version: run npm run deploy to migrate its database.\n')
    if (undo) world.print(`The earlier database, without the rest:  ${undo}\n`)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

function done(world: World, text: string): void {
  world.print(`${style('green', '✓')} ${text}\n`)
}

function warnOf(world: World, tooLarge: readonly string[]): void {
  if (tooLarge.length > 0)
    world.print(
      `${style('yellow', '!')} wrangler can't upload these files (over 300 MB); restore them with an S3 client: ${tooLarge.join(', ')}\n`,
    )
}

/** Reads the description of an unpacked archive, and checks that this version can restore it. */
async function describe(file: string, folder: string, plan: Plan): Promise<Description> {
  const present = await readdir(folder)
  if (!present.includes(FILES.description))
    throw new ArchiveError(
      `${file} is no backup of a deployed coordinator. That of a local one: npm run dev -- restore. Nothing was changed.`,
    )
  const description = JSON.parse(await readFile(join(folder, FILES.description), 'utf8')) as Description
  if (description.format !== FORMAT || !plan.migrations.includes(description.migration))
    throw new ArchiveError(`${file} was made by a later version. Update this one first; nothing was changed.`)
  return description
}

/**
 * Finds the resources of a coordinator.
 * @param folder for a configuration that names only them
 * @throws StepError if they don't exist, or belong to another coordinator than the one at HYBRID_URL
 */
async function open(deployed: Deployed, folder: string): Promise<{ database: RemoteDatabase; bucket: RemoteBucket }> {
  const { plan, world, where } = deployed
  await signIn(world)
  const id = plan.database.id ?? (await findDatabaseId(plan, world))
  if (id === undefined)
    throw new StepError(
      `This account has no database ${plan.database.name}. Deploy first: npm run deploy. Check --name.`,
    )
  const config = join(folder, 'wrangler.toml')
  const { binding, name } = plan.database
  const d1 = { binding, database_name: name, database_id: id }
  await writeFile(config, stringify({ name: plan.worker, d1_databases: [d1] }))
  const options = ['--config', config, ...where]
  const database = { world, name: binding, options }
  const [bucket] = plan.buckets
  if (bucket === undefined) throw new StepError('wrangler.toml names no R2 bucket.')
  await checkSame(deployed, database)
  return { database, bucket: { world, name: bucket, options } }
}

/** Checks that the Worker at HYBRID_URL uses this database. */
async function checkSame({ client, plan }: Deployed, database: RemoteDatabase): Promise<void> {
  const [[latest] = []] = await query(database, ['SELECT id FROM interactions ORDER BY id DESC LIMIT 1'])
  const found = latest
    ? await client.get(`/interactions/${encodeURIComponent(String(latest.id))}`).then(
        () => true,
        (error: unknown) => {
          if (error instanceof HttpError && error.status === 404) return false
          throw error
        },
      )
    : (await projectsOf(client)).every(({ interactions }) => interactions === 0)
  if (!found)
    throw new StepError(
      `HYBRID_URL is not the coordinator of the database ${plan.database.name}. Check HYBRID_URL and --name; nothing was changed.`,
    )
}

async function lastMigration(database: RemoteDatabase): Promise<string> {
  const [[last] = []] = await query(database, ['SELECT name FROM d1_migrations ORDER BY id DESC LIMIT 1'])
  return String(last?.name ?? '')
}

interface Project {
  readonly project: string
  readonly documents: number
  readonly interactions: number
}

async function projectsOf(client: HttpClient): Promise<Project[]> {
  const found: Project[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const after: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await client.get<{ projects: Project[]; next_cursor: string | null }>(`/projects?limit=1000${after}`)
    found.push(...page.projects)
    cursor = page.next_cursor
  }
  return found
}

/** Asks before data is replaced. @throws StepError if the user declines or can't be asked */
async function confirmReplacement(
  { plan, confirm: ask }: Deployed,
  projects: readonly Project[],
  database: RemoteDatabase,
  yes: boolean,
): Promise<void> {
  const [[row] = []] = await query(database, ['SELECT count(*) AS n FROM keys'])
  const keys = Number(row?.n ?? 0)
  if (projects.length === 0 && keys === 0) return
  const sum = (of: 'documents' | 'interactions') => projects.reduce((all, project) => all + project[of], 0)
  const held = [
    plural(projects.length, 'project'),
    plural(sum('documents'), 'document'),
    plural(sum('interactions'), 'interaction'),
    plural(keys, 'key'),
  ].join(', ')
  const answer = yes || (await ask(`${plan.worker} holds ${held}. Replace all of it?`))
  if (answer === null)
    throw new StepError(
      `${plan.worker} holds ${held}, which would be replaced. Add --yes to confirm; nothing was changed.`,
    )
  if (!answer) throw new StepError('Nothing was changed.')
}

/** Deletes everything of a project, as far as the coordinator knows it. */
async function erase(client: HttpClient, { project }: Project, world: World): Promise<void> {
  let before = ''
  for (let idle = 0; idle < IDLE; idle++) {
    // Asking again runs its next steps.
    const deletion = await client.post<{ status: string; deleted: object }>('/data/delete', {
      what: 'project',
      project,
      confirm: project,
    })
    if (deletion.status === 'done') return
    const progress = JSON.stringify(deletion.deleted)
    if (progress !== before) idle = 0
    before = progress
    await world.pause(PAUSE_MS)
  }
  throw new StepError(`The deletion of the project ${project} makes no progress. Check GET /learning/jobs.`)
}

/**
 * The file of an archive: gzipped JSON Lines in R2, one line an interaction.
 * @module
 */
import type { Archive, ColdRow, Dependents } from '../database/queries/archives.ts'
import { sha256 } from '../hash.ts'

/** One line of an archive. `figures` repeats what its row in D1 keeps, so that a file can be read without the database. */
export interface ArchivedInteraction extends Dependents {
  readonly id: string
  readonly query: string
  readonly response: string
  readonly figures: Readonly<Record<string, unknown>>
}

/** Begins with a character that no project's name has, so that no dataset can lie in between. */
const PREFIX = '_archive'

/** Where the files of a project lie. */
export function archivePrefix(project: string): string {
  return `${PREFIX}/${project}/`
}

/** The key of an archive's file. */
export function archiveKey({ id, project }: Pick<Archive, 'id' | 'project'>): string {
  return `${archivePrefix(project)}${id}.jsonl.gz`
}

/** A row in the form of a line. */
export function archivedInteraction(row: ColdRow): ArchivedInteraction {
  const { id, query, response, figures } = row
  return { id, query, response, figures, ...(JSON.parse(row.dependents) as Dependents) }
}

/** Number of a line's jobs by kind. */
export function jobsByKind({ jobs }: Dependents): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of jobs) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** Keys that have said something of these interactions. */
export function callersOf(lines: readonly Dependents[]): string[] {
  const callers = lines.flatMap(({ history, votes }) => [...history, ...votes].map(({ caller }) => caller))
  return [...new Set(callers)].sort()
}

/** A file that is to be written. */
export interface PackedFile {
  readonly content: ArrayBuffer
  /** Of what it holds, unpacked. */
  readonly sha256: string
}

/** Packs lines; the same lines have the same hash. */
export async function pack(lines: readonly ArchivedInteraction[]): Promise<PackedFile> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return { content: await new Response(packed).arrayBuffer(), sha256: await sha256(text) }
}

async function unpack(object: R2ObjectBody): Promise<string> {
  return new Response(object.body.pipeThrough(new DecompressionStream('gzip'))).text()
}

/**
 * Writes a file and reads it again.
 * @throws Error when R2 gives back anything else than what was written
 */
export async function writeFile(bucket: R2Bucket, key: string, file: PackedFile): Promise<void> {
  await bucket.put(key, file.content, { httpMetadata: { contentType: 'application/gzip' } })
  const object = await bucket.get(key)
  if (!object || (await sha256(await unpack(object))) !== file.sha256) {
    throw new Error('R2 did not give back what was written to it.')
  }
}

/** The lines of an archive by id; null when its file isn't there. */
export async function readFile(
  bucket: R2Bucket,
  archive: Pick<Archive, 'id' | 'project'>,
): Promise<Map<string, ArchivedInteraction> | null> {
  const object = await bucket.get(archiveKey(archive))
  if (!object) return null
  const lines = (await unpack(object)).split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const read = JSON.parse(line) as ArchivedInteraction
      return [read.id, read]
    }),
  )
}

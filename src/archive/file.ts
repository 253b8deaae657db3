/**
 * The file of an archive: gzipped JSON Lines in R2, one line per interaction.
 * @module
 */
import type { Archive, ColdRow, Dependents } from '../database/queries/archives.ts'
import { sha256 } from '../hash.ts'

/**
 * One line of an archive. `figures` repeats the columns that stay in the D1 row, so that a file can be read without the
 * database.
 */
export interface ArchivedInteraction extends Dependents {
  readonly id: string
  readonly query: string
  readonly response: string
  readonly figures: Readonly<Record<string, unknown>>
}

/** Starts with a character that project names can't contain, so that no dataset has this prefix. */
const PREFIX = '_archive'

/** The prefix of a project's archive files. */
export function archivePrefix(project: string): string {
  return `${PREFIX}/${project}/`
}

/** The key of an archive's file. */
export function archiveKey({ id, project }: Pick<Archive, 'id' | 'project'>): string {
  return `${archivePrefix(project)}${id}.jsonl.gz`
}

/** Converts a row to a line. */
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

/** Keys that reported on these interactions. */
export function callersOf(lines: readonly Dependents[]): string[] {
  const callers = lines.flatMap(({ history, votes }) => [...history, ...votes].map(({ caller }) => caller))
  return [...new Set(callers)].sort()
}

/** A file to be written. */
export interface PackedFile {
  readonly content: ArrayBuffer
  /** SHA-256 of its uncompressed content. */
  readonly sha256: string
}

/** Packs lines. Equal lines have equal hashes. */
export async function pack(lines: readonly ArchivedInteraction[]): Promise<PackedFile> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return { content: await new Response(packed).arrayBuffer(), sha256: await sha256(text) }
}

async function unpack(object: R2ObjectBody): Promise<string> {
  return new Response(object.body.pipeThrough(new DecompressionStream('gzip'))).text()
}

/**
 * Writes a file, reads it again and compares it.
 * @throws Error if R2 returns anything else than what was written
 */
export async function writeFile(bucket: R2Bucket, key: string, file: PackedFile): Promise<void> {
  await bucket.put(key, file.content, { httpMetadata: { contentType: 'application/gzip' } })
  const object = await bucket.get(key)
  if (!object || (await sha256(await unpack(object))) !== file.sha256) {
    throw new Error('R2 did not give back what was written to it.')
  }
}

/** The lines of an archive by id; null if its file is missing. */
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

/**
 * Identifies the folder that a source's documents come from. Each document's hash contains marks of its folder, so that
 * a run over another folder of the same name is detected before it overwrites or removes anything.
 * @module
 */
import { createHash } from 'node:crypto'
import { type Repository, rootCommit } from './git.ts'

/** Marks of a folder. Two checkouts of one repository share the remote or the first commit. */
export interface Identity {
  /** Hash of the remote's address and the path within the repository. */
  remote?: string
  /** Hash of the first commit and the path within the repository. */
  root?: string
  /** Hash of the folder's own path, used if there is nothing better. */
  place: string
}

const mark = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/**
 * Host and path of a remote URL in any of git's formats, normalised so that the same repository gives the same text.
 */
export function remoteAddress(url: string): string {
  return url
    .trim()
    .replace(/^[a-z+]+:\/\/(?:[^@/]*@)?/i, '')
    .replace(/^[^@/\s]+@([^:/\s]+):/, '$1/')
    .replace(/^([^/:]+):\d+\//, '$1/')
    .replace(/\.git\/?$|\/+$/g, '')
    .toLowerCase()
}

/**
 * The identity of a folder.
 * @param folder - absolute real path
 * @param repository - the repository it belongs to, if any
 */
export async function identityOf(folder: string, repository: Repository | undefined): Promise<Identity> {
  const place = mark(folder)
  if (!repository) return { place }
  const root = await rootCommit(repository)
  const { remote, prefix } = repository
  return {
    remote: remote ? mark(`${remoteAddress(remote)}\n${prefix}`) : undefined,
    root: root ? mark(`${root}\n${prefix}`) : undefined,
    place,
  }
}

/** A document's stored hash: that of its content, followed by the marks of its owner. */
export function signed(content: string, { remote, root, place }: Identity): string {
  return [content, remote && `r=${remote}`, root && `c=${root}`, `p=${place}`].filter(Boolean).join(' ')
}

/** A hash that also contains the id of the item for a document, if the item has its own key. */
export function withItem(hash: string, id: string): string {
  return `${hash} k=${id}`
}

/** The id of the item for a document; undefined if its items belong only to the document. */
export function itemIn(hash: string): string | undefined {
  return / k=(\S+)$/.exec(hash)?.[1]
}

/** The hash of the first of several documents from one file. */
export function withParts(hash: string, parts: number): string {
  return parts > 1 ? `${hash} n=${parts}` : hash
}

/** Number of documents from the file with this first hash. */
export function partsIn(hash: string): number {
  return Number(/ n=(\d+)$/.exec(hash)?.[1] ?? 1)
}

/** The paths of a file's documents. */
export function partPaths(path: string, parts: number): string[] {
  return Array.from({ length: parts }, (_, i) => (i === 0 ? path : `${path}#part-${i + 1}`))
}

/** The path of the file that a document is part of. */
export function fileOf(path: string): string {
  return path.replace(/#part-\d+$/, '')
}

/** The content part of a stored hash. */
export function contentOf(hash: string): string {
  return hash.split(' ', 1)[0] ?? ''
}

/**
 * Whether a stored document belongs to a folder: by remote or first commit if both have one, otherwise by the folder's
 * path.
 * @returns undefined for a document without marks
 */
export function belongsTo(hash: string, identity: Identity): boolean | undefined {
  const marks = new Map(
    hash
      .split(' ')
      .slice(1)
      .map((part) => [part[0], part.slice(2)]),
  )
  if (!marks.has('p')) return undefined
  const pairs = [
    [marks.get('r'), identity.remote],
    [marks.get('c'), identity.root],
  ].filter(([theirs, ours]) => theirs && ours)
  if (pairs.length > 0) return pairs.some(([theirs, ours]) => theirs === ours)
  return marks.get('p') === identity.place
}

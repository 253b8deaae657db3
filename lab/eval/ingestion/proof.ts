/**
 * Proves that no text of a repository is missing: lists the files tracked by git, reads them, and searches every line
 * of every file in the chunks returned by the coordinator.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDecoder } from '../../../cli/ingest/encoding.ts'
import type { Report } from '../../../cli/ingest/report.ts'
import { git } from './command.ts'

/** Replacements in stored lines: secrets, private keys, the middle of long literals. */
const REPLACED = /\[redacted [^\]]*\]|\[private(?: key)?\]|…/
/** Lines of at least this length may be truncated, in characters. */
const LONG_LINE = 1_000
/** Formats of which the visible text is stored instead of the lines. */
const RENDERED = new Set(['jupyter', 'html', 'docx', 'pdf'])

/** The files of a repository by treatment. */
export interface Proof {
  tracked: number
  stored: number
  /** Skipped tracked files, by reason. */
  leftOut: Record<string, string[]>
  /** Tracked files that are neither stored nor reported as skipped. */
  lost: string[]
  /** Compared files, and their non-blank lines. */
  compared: { files: number; lines: number }
  /** Lines with replaced parts: secrets, and the middle of long literals. */
  replaced: number
  /** Files stored as their visible text, or shortened because they are large data. */
  rendered: string[]
  missing: { path: string; line: string }[]
}

/** The stored chunks of a file. */
export interface StoredFile {
  readonly language: string
  readonly texts: string[]
}

/**
 * Compares a checkout with its stored files.
 * @param folder the checkout
 * @param report of the ingestion
 * @param stored files by path
 */
export async function prove(folder: string, report: Report, stored: ReadonlyMap<string, StoredFile>): Promise<Proof> {
  const proof: Proof = {
    tracked: 0,
    stored: 0,
    leftOut: {},
    lost: [],
    compared: { files: 0, lines: 0 },
    replaced: 0,
    rendered: [],
    missing: [],
  }
  const decoder = createDecoder()
  for (const path of (await git(folder, 'ls-files', '-z')).split('\0').filter(Boolean)) {
    proof.tracked++
    const file = stored.get(path)
    const out = report.left_out.find((entry) =>
      entry.path.endsWith('/') ? path.startsWith(entry.path) || path === entry.path.slice(0, -1) : entry.path === path,
    )
    if (file) {
      proof.stored++
      await compare(proof, folder, path, file, decoder)
    } else if (out) proof.leftOut[out.reason] = [...(proof.leftOut[out.reason] ?? []), path]
    else proof.lost.push(path)
  }
  return proof
}

async function compare(
  proof: Proof,
  folder: string,
  path: string,
  { language, texts }: StoredFile,
  decoder: ReturnType<typeof createDecoder>,
): Promise<void> {
  const bytes = readFileSync(join(folder, path))
  const text = utf8(bytes) ?? (await decoded(decoder, bytes, await encodingOf(folder, path)))
  const isData = text !== undefined && isReshaped(path, text)
  if (text === undefined || RENDERED.has(language) || isData) {
    proof.rendered.push(path)
    return
  }
  const there = new Map<string, number>()
  const changed: string[] = []
  for (const chunk of texts) {
    for (const raw of chunk.split('\n')) {
      const line = raw.trim()
      if (REPLACED.test(line)) changed.push(line)
      there.set(line, (there.get(line) ?? 0) + 1)
    }
  }
  proof.compared.files++
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '') continue
    proof.compared.lines++
    const left = there.get(line) ?? 0
    if (left > 0) there.set(line, left - 1)
    else if (line.length > LONG_LINE && hasWords(texts, line)) continue
    else if (changed.some((stored) => isLineWithParts(line, stored)) || insideKey(text, line)) proof.replaced++
    else proof.missing.push({ path, line })
  }
}

/** Decodes bytes as UTF-8, unless they are something else. The escape sequences are those of ISO-2022-JP. */
function utf8(bytes: Buffer): string | undefined {
  if (bytes.includes('\x1b$')) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r\n?/g, '\n')
  } catch {
    return undefined
  }
}

/** The encoding that .gitattributes declares. */
async function encodingOf(folder: string, path: string): Promise<string | undefined> {
  const answer = await git(folder, 'check-attr', '-z', 'working-tree-encoding', '--', path)
  const value = answer.split('\0')[2]
  return value === 'unspecified' ? undefined : value
}

async function decoded(
  decoder: ReturnType<typeof createDecoder>,
  bytes: Buffer,
  declared: string | undefined,
): Promise<string | undefined> {
  const result = await decoder.decode(bytes, declared)
  const settled = result === 'encoding unclear' ? decoder.settle(bytes) : result
  return typeof settled === 'string' ? undefined : settled.text
}

/** Large dumps are shortened, and JSON without line breaks is reformatted. */
function isReshaped(path: string, text: string): boolean {
  if (/\.json$/i.test(path)) return text.length > 200_000 || text.length / text.split('\n').length > 500
  return /\.sql$/i.test(path) && text.length > 200_000
}

/** A line that is longer than a chunk is in several; a word at a cut is in two, or more where a script has no spaces. */
function hasWords(texts: readonly string[], line: string): boolean {
  const lines = texts.flatMap((text) => text.split('\n').map((one) => one.trim()))
  const continues = (rest: string): boolean =>
    lines.some(
      (one) => one.startsWith(rest) || (one.length > 20 && rest.startsWith(one) && continues(rest.slice(one.length))),
    )
  const isCut = (word: string) => {
    for (let at = word.length - 1; at > 0; at--) {
      const head = word.slice(0, at)
      if (lines.some((one) => one.endsWith(head)) && continues(word.slice(at))) return true
    }
    return false
  }
  return line.split(/\s+/).every((word) => lines.some((one) => one.includes(word)) || isCut(word))
}

/** Whether a stored line is a line of the file with some parts replaced. */
function isLineWithParts(line: string, stored: string): boolean {
  let at = 0
  const parts = stored.split(REPLACED)
  if (!line.startsWith(parts[0] ?? '') || !line.endsWith(parts.at(-1) ?? '')) return false
  for (const part of parts) {
    const found = line.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return true
}

/** Lines of a private key are stored as one placeholder. */
function insideKey(text: string, line: string): boolean {
  const keys = text.match(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY[\s\S]*?-----END [A-Z0-9 ]*-----/g) ?? []
  return keys.some((key) => key.split('\n').some((part) => part.trim() === line))
}

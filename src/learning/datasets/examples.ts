/**
 * The stream of examples that a dataset consists of: in a fixed order, without duplicates, a page in memory at a time.
 * @module
 */
import type { Database } from '../../database/database.ts'
import { correctionExamples, type ExampleFilter, interactionExamples } from '../../database/queries/exports.ts'
import type { Example } from './formats.ts'

export interface Selection {
  readonly filter: ExampleFilter
  /** Whether corrections are taken too, as better answers. Pairs always come from them. */
  readonly includeCorrections: boolean
  /** Examples at most; null: all. */
  readonly limit: number | null
}

/** Counts what the stream left out. */
export interface StreamCounts {
  duplicate: number
}

/**
 * Pages of examples: interactions, then corrections, each in order of id, so that the same data always gives the same stream.
 * Of examples with equal prompt and answer the first is kept.
 */
export async function* examplePages(
  database: Database,
  selection: Selection,
  counts: StreamCounts,
): AsyncGenerator<Example[]> {
  const seen = new Set<string>()
  let left = selection.limit ?? Number.POSITIVE_INFINITY
  const sources = [interactionExamples, ...(selection.includeCorrections ? [correctionExamples] : [])]
  for (const source of sources) {
    let after = ''
    while (left > 0) {
      const page = await source(database, selection.filter, after)
      const last = page.at(-1)
      if (!last) break
      after = last.id
      const fresh: Example[] = []
      for (const example of page) {
        const key = fingerprint(
          `${normalised(example.prompt)}\0${normalised(example.answer)}\0${example.rejected ?? ''}`,
        )
        if (seen.has(key)) counts.duplicate++
        else if (left > 0) {
          seen.add(key)
          fresh.push(example)
          left--
        }
      }
      if (fresh.length > 0) yield fresh
    }
  }
}

/** Text with case and white space levelled out. */
function normalised(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim()
}

/** A text's 64-bit fingerprint: two FNV-1a hashes of 32 bits with different offsets. Equal texts have equal ones. */
export function fingerprint(text: string): string {
  let a = 0x811c9dc5
  let b = 0x9747b28c
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b ^ unit ^ (i & 0xff), 0x01000193)
  }
  return String.fromCharCode(a & 0xffff, a >>> 16, b & 0xffff, b >>> 16)
}

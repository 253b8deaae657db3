/**
 * The stream of a dataset's examples: in a fixed order, without duplicates or secrets, with one page in memory at a
 * time.
 * @module
 */

import { type ArchiveServices, textsOf } from '../archive/read.ts'
import type { Example } from '../database/queries/exports.ts'
import { correctionExamples, type ExampleFilter, interactionExamples } from '../database/queries/exports.ts'
import { redact } from '../security/redact.ts'
import { withoutThinking } from '../text/thinking.ts'
import type { FingerprintSet } from './fingerprints.ts'
import { inValidation, type PromptGroups } from './groups.ts'

/** `train` and `validation` partition the examples. Near-duplicate prompts are always on the same side. */
export const SPLITS = ['all', 'train', 'validation'] as const

export interface Selection {
  readonly filter: ExampleFilter
  /** Whether corrections are included, as better answers. Pairs always come from them. */
  readonly includeCorrections: boolean
  /** Whether thinking sections are removed from answers. */
  readonly thinking: 'cut' | 'keep'
}

/** Counts of examples that the stream left out. */
export interface StreamCounts {
  duplicate: number
  exported_before: number
  other_split: number
  /** Near-duplicates of rows in earlier datasets on both sides of the split. */
  near_both_sides: number
  /** Answers that are empty without their thinking sections. */
  thinking_only: number
  /** Answers whose thinking sections were removed. They are included as rows. */
  thinking_cut: number
  /** Answers with thinking sections that were kept. */
  thinking_kept: number
}

export const noCounts = (): StreamCounts => ({
  duplicate: 0,
  exported_before: 0,
  other_split: 0,
  near_both_sides: 0,
  thinking_only: 0,
  thinking_cut: 0,
  thinking_kept: 0,
})

/** The position in a stream of examples: first interactions, then corrections, each ordered by id. */
export interface Place {
  readonly source: 'interactions' | 'corrections'
  readonly after: string
}

export const FIRST_PLACE: Place = { source: 'interactions', after: '' }

/**
 * Reads the examples of a selection page by page, without those in earlier datasets. Of examples with equal prompt and
 * answer, only the first is kept. The same data always gives the same stream.
 */
export class ExampleReader {
  readonly #services: ArchiveServices
  readonly #selection: Selection
  readonly #seen: FingerprintSet
  readonly #exclude: Pick<FingerprintSet, 'has'>
  readonly #counts: StreamCounts
  #place: Place

  /**
   * @param place the start position
   * @param seen fingerprints of the prompts and answers before it; extended by reading
   * @param exclude ids to leave out
   * @param counts increased for each example left out
   */
  constructor(
    services: ArchiveServices,
    selection: Selection,
    place: Place,
    seen: FingerprintSet,
    exclude: Pick<FingerprintSet, 'has'>,
    counts: StreamCounts,
  ) {
    this.#services = services
    this.#selection = selection
    this.#place = place
    this.#seen = seen
    this.#exclude = exclude
    this.#counts = counts
  }

  /** The start position of the next page. */
  get place(): Place {
    return this.#place
  }

  /** The next page, which may be empty; null: no more pages. */
  async next(): Promise<Example[] | null> {
    const { source, after } = this.#place
    const read = await (source === 'interactions' ? interactionExamples : correctionExamples)(
      this.#services.database,
      this.#selection.filter,
      after,
    )
    const last = read.at(-1)
    if (!last) {
      if (source === 'corrections' || !this.#selection.includeCorrections) return null
      this.#place = { source: 'corrections', after: '' }
      return this.next()
    }
    this.#place = { source, after: last.id }
    return (await withTexts(this.#services, read)).flatMap((whole) => this.#fresh(whole))
  }

  #fresh(whole: Example): Example[] {
    const { example, thinking } = withThinking(whole, this.#selection.thinking)
    if (!example) {
      this.#counts.thinking_only++
      return []
    }
    const { prompt, answer, rejected } = example
    if (!this.#seen.add(`${normalised(prompt)}\0${normalised(answer)}\0${rejected ?? ''}`)) {
      this.#counts.duplicate++
      return []
    }
    if (this.#exclude.has(example.id)) {
      this.#counts.exported_before++
      return []
    }
    if (thinking !== null) this.#counts[thinking]++
    return [example]
  }
}

/**
 * Flags of an example whose prompt is grouped: in an earlier dataset on this side of the split, or on the other side.
 */
export const HERE = 1
export const THERE = 2

/** The result for an example in the split: taken, or counted as left out. */
export const SIDES = ['taken', 'other_split', 'near_both_sides'] as const

/**
 * Assigns every example to a side of the split: the side where an earlier dataset has a near-duplicate, otherwise the
 * side of the first example in its group. A near-duplicate of rows on both sides is on neither.
 * @param prompts all prompts, including those of earlier datasets
 * @returns for each example that is not in an earlier dataset, in order, its index in SIDES
 */
export function sidesOf(prompts: PromptGroups, split: 'train' | 'validation', share: number): Uint8Array {
  const firsts = prompts.groups()
  const known = new Uint8Array(firsts.length)
  for (const [i, first] of firsts.entries()) known[first] = (known[first] ?? 0) | prompts.flags(i)
  const sides = new Uint8Array(firsts.length)
  let fresh = 0
  const [taken, other, both] = [0, 1, 2]
  for (const [i, first] of firsts.entries()) {
    if (prompts.flags(i) & HERE) continue
    const flags = known[first] ?? 0
    if (flags === (HERE | THERE)) sides[fresh++] = both
    else if (flags !== 0) sides[fresh++] = flags === HERE ? taken : other
    else sides[fresh++] = inValidation(prompts.keyHash(first), share) === (split === 'validation') ? taken : other
  }
  return sides.subarray(0, fresh)
}

/**
 * The example with its thinking removed or kept, and which of the two. No example if the answer is empty without it.
 */
function withThinking(
  example: Example,
  handling: Selection['thinking'],
): { example: Example | null; thinking: 'thinking_cut' | 'thinking_kept' | null } {
  const answer = withoutThinking(example.answer)
  const rejected = example.rejected === null ? null : withoutThinking(example.rejected)
  if (answer === example.answer && rejected === example.rejected) return { example, thinking: null }
  if (handling === 'keep') return { example, thinking: 'thinking_kept' }
  const left = answer !== '' && rejected !== ''
  return { example: left ? { ...example, answer, rejected } : null, thinking: 'thinking_cut' }
}

/** The same examples, with the texts of archived ones. */
async function withTexts(services: ArchiveServices, page: readonly Example[]): Promise<Example[]> {
  const archived = page.flatMap(({ id, archived: away }) => (away ? [id] : []))
  if (archived.length === 0) return [...page]
  const texts = await textsOf(services, archived)
  return page.flatMap((example) => {
    if (!example.archived) return [example]
    const found = texts.get(example.id)
    // Deleted between two reads: no longer an example.
    return found ? [{ ...example, prompt: found.query, answer: found.response }] : []
  })
}

/** The example with its credentials replaced. `redacted` is increased by their number, by kind. */
export function withoutSecrets(example: Example, redacted: Record<string, number>): Example {
  return {
    ...example,
    prompt: redact(example.prompt, redacted),
    answer: redact(example.answer, redacted),
    rejected: example.rejected === null ? null : redact(example.rejected, redacted),
  }
}

/** Text with normalised case and white space. */
function normalised(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim()
}

/**
 * The stream of examples that a dataset consists of: in a fixed order, without duplicates or secrets, a page in memory at a time.
 * @module
 */

import { type ArchiveServices, textsOf } from '../archive/read.ts'
import type { Example } from '../database/queries/exports.ts'
import { correctionExamples, type ExampleFilter, interactionExamples } from '../database/queries/exports.ts'
import { redact } from '../security/redact.ts'
import { withoutThinking } from '../text/thinking.ts'
import type { FingerprintSet } from './fingerprints.ts'
import { inValidation, type PromptGroups } from './groups.ts'

/** `train` and `validation` share out all examples; near-duplicate prompts are always on the same side. */
export const SPLITS = ['all', 'train', 'validation'] as const

export interface Selection {
  readonly filter: ExampleFilter
  /** Whether corrections are taken too, as better answers. Pairs always come from them. */
  readonly includeCorrections: boolean
  /** Whether sections of thinking in answers are taken out. */
  readonly thinking: 'cut' | 'keep'
}

/** Counts what the stream left out. */
export interface StreamCounts {
  duplicate: number
  exported_before: number
  other_split: number
  /** Near-duplicates of rows that earlier datasets have on both sides of the split. */
  near_both_sides: number
  /** Answers of which nothing is left without their thinking. */
  thinking_only: number
  /** Answers whose sections of thinking were taken out. They are rows all the same. */
  thinking_cut: number
  /** Answers that have sections of thinking and keep them. */
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

/** Where a stream of examples stands: interactions come first, then corrections, each in order of id. */
export interface Place {
  readonly source: 'interactions' | 'corrections'
  readonly after: string
}

export const FIRST_PLACE: Place = { source: 'interactions', after: '' }

/**
 * Reads the examples of a selection a page at a time, without those that an earlier dataset has, and of those with equal prompt and
 * answer only the first. The same data always gives the same stream.
 */
export class ExampleReader {
  readonly #services: ArchiveServices
  readonly #selection: Selection
  readonly #seen: FingerprintSet
  readonly #exclude: Pick<FingerprintSet, 'has'>
  readonly #counts: StreamCounts
  #place: Place

  /**
   * @param place where to begin
   * @param seen what came before it, of prompts and answers; grows
   * @param exclude ids that are left out
   * @param counts grow by what is left out
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

  /** Where the next page begins. */
  get place(): Place {
    return this.#place
  }

  /** The next page, which may be empty; null: there are no more. */
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

/** Flags of an example whose prompt is grouped: an earlier dataset has it on this side of the split, or on the other one. */
export const HERE = 1
export const THERE = 2

/** What becomes of an example in the split: it is taken, or counted as left out. */
export const SIDES = ['taken', 'other_split', 'near_both_sides'] as const

/**
 * Decides which side of the split every example is on: the side on which an earlier dataset has a near-duplicate, else that of the
 * first of its group. A near-duplicate of rows on both sides is on neither.
 * @param prompts all of them, those of earlier datasets too
 * @returns of each example that no earlier dataset has, in their order, its place in SIDES
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

/** The example with its thinking cut or kept, and which of them; no example when nothing else is left of the answer. */
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

/** The same examples with the texts of those that are archived. */
async function withTexts(services: ArchiveServices, page: readonly Example[]): Promise<Example[]> {
  const archived = page.flatMap(({ id, archived: away }) => (away ? [id] : []))
  if (archived.length === 0) return [...page]
  const texts = await textsOf(services, archived)
  return page.flatMap((example) => {
    if (!example.archived) return [example]
    const found = texts.get(example.id)
    // Deleted between two reads: then it is no example any more.
    return found ? [{ ...example, prompt: found.query, answer: found.response }] : []
  })
}

/** The example with its credentials replaced; `redacted` grows by their number, by kind. */
export function withoutSecrets(example: Example, redacted: Record<string, number>): Example {
  return {
    ...example,
    prompt: redact(example.prompt, redacted),
    answer: redact(example.answer, redacted),
    rejected: example.rejected === null ? null : redact(example.rejected, redacted),
  }
}

/** Text with case and white space levelled out. */
function normalised(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim()
}

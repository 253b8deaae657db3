/**
 * The stream of examples that a dataset consists of: in a fixed order, without duplicates or secrets, a page in memory at a time.
 * @module
 */

import { type ArchiveServices, textsOf } from '../archive/read.ts'
import type { Example } from '../database/queries/exports.ts'
import { correctionExamples, type ExampleFilter, interactionExamples } from '../database/queries/exports.ts'
import { redact } from '../security/redact.ts'
import { withoutThinking } from '../text/thinking.ts'
import { inValidation, PromptGroups } from './groups.ts'

/** `train` and `validation` share out all examples; near-duplicate prompts are always on the same side. */
export const SPLITS = ['all', 'train', 'validation'] as const

export interface Selection {
  readonly filter: ExampleFilter
  /** Whether corrections are taken too, as better answers. Pairs always come from them. */
  readonly includeCorrections: boolean
  /** Examples at most; null: all. */
  readonly limit: number | null
  readonly split: (typeof SPLITS)[number]
  /** Share of groups of near-duplicates in the validation set, 0 to 1. */
  readonly validationShare: number
  /** Ids that are left out because an earlier dataset has them. */
  readonly exclude: ReadonlySet<string>
  /** Ids that an earlier dataset with the same settings has on the other side of the split. */
  readonly excludedSide: ReadonlySet<string>
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

/** What happens to the n-th fresh example in the split. */
export type SplitMask = (index: number) => 'taken' | 'other_split' | 'near_both_sides'

/**
 * Pages of examples: interactions, then corrections, each in order of id, so that the same data always gives the same stream.
 * @param redacted grows by the number of credentials that were replaced, by kind
 */
export async function* examplePages(
  services: ArchiveServices,
  selection: Selection,
  mask: SplitMask,
  counts: StreamCounts,
  redacted: Record<string, number>,
): AsyncGenerator<Example[]> {
  let left = selection.limit ?? Number.POSITIVE_INFINITY
  let index = 0
  for await (const fresh of freshExamples(services, selection, counts)) {
    const taken: Example[] = []
    for (const example of fresh) {
      const side = mask(index++)
      if (side !== 'taken') counts[side]++
      else if (left > 0) {
        left--
        taken.push(withoutSecrets(example, redacted))
      }
    }
    if (taken.length > 0) yield taken
    if (left <= 0) return
  }
}

/**
 * Reads every prompt once, those of earlier datasets too, and decides which side of the split it is on: the side on which an earlier
 * dataset has a near-duplicate, else that of the first of its group. A near-duplicate of rows on both sides is on neither.
 * @returns a mask that keeps everything when no split is wanted
 */
export async function splitMask(services: ArchiveServices, selection: Selection): Promise<SplitMask> {
  if (selection.split === 'all') return () => 'taken'
  const groups = new PromptGroups()
  const ids: string[] = []
  const all = { ...selection, exclude: new Set<string>() }
  for await (const page of freshExamples(services, all, noCounts())) {
    for (const { id, prompt } of page) {
      groups.add(prompt)
      ids.push(id)
    }
  }
  const firsts = groups.groups()
  const has = (known: ReadonlySet<string>) =>
    new Set(ids.flatMap((id, i) => (known.has(id) ? [firsts[i] as number] : [])))
  const [here, there] = [has(selection.exclude), has(selection.excludedSide)]
  const wanted = selection.split === 'validation'
  const sides: ReturnType<SplitMask>[] = []
  for (const [i, id] of ids.entries()) {
    if (selection.exclude.has(id)) continue
    const first = firsts[i] as number
    const known = [here.has(first), there.has(first)] as const
    if (known[0] && known[1]) sides.push('near_both_sides')
    else if (known[0] || known[1]) sides.push(known[0] ? 'taken' : 'other_split')
    else sides.push(inValidation(ids[first] ?? '', selection.validationShare) === wanted ? 'taken' : 'other_split')
  }
  return (index) => sides[index] ?? 'other_split'
}

/** Pages of examples that no earlier dataset has; of those with equal prompt and answer the first. */
async function* freshExamples(
  services: ArchiveServices,
  selection: Selection,
  counts: StreamCounts,
): AsyncGenerator<Example[]> {
  const seen = new Set<string>()
  const sources = [interactionExamples, ...(selection.includeCorrections ? [correctionExamples] : [])]
  for (const source of sources) {
    let after = ''
    for (;;) {
      const read = await source(services.database, selection.filter, after)
      const last = read.at(-1)
      if (!last) break
      after = last.id
      const page = await withTexts(services, read)
      const fresh = page.flatMap((whole) => {
        const { example, thinking } = withThinking(whole, selection.thinking)
        if (!example) {
          counts.thinking_only++
          return []
        }
        const key = fingerprint(
          `${normalised(example.prompt)}\0${normalised(example.answer)}\0${example.rejected ?? ''}`,
        )
        if (seen.has(key)) counts.duplicate++
        else if (selection.exclude.has(example.id)) counts.exported_before++
        else {
          seen.add(key)
          if (thinking !== null) counts[thinking]++
          return [example]
        }
        seen.add(key)
        return []
      })
      if (fresh.length > 0) yield fresh
    }
  }
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

function withoutSecrets(example: Example, redacted: Record<string, number>): Example {
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

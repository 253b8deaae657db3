/**
 * The format of context in every answer.
 * @module
 */
import * as z from 'zod'
import { type CollectionName, contextId, EXTERNAL, isCollection, parseContextId } from '../../knowledge/collections.ts'
import type { StoredItem } from '../../knowledge/stores/store.ts'
import type { Augmentation } from '../../retrieval/augment.ts'
import { shownLines, sourceOf } from '../../retrieval/packing.ts'
import type { Services } from '../../services.ts'
import { contextSource, suspectedInstructions, warningOf } from '../fields.ts'

export const contextView = z.object({
  context_id: z.string(),
  number: z.int().describe('The number that the prompt shows it under; within a conversation it stays the same.'),
  collection: contextSource,
  title: z.string(),
  path: z.string().nullable().describe('Of the file, for code.'),
  start_line: z.int().nullable().describe('First line shown, from 1.'),
  end_line: z.int().nullable().describe('Last line shown.'),
  probability: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
  tokens: z.int().describe('Tokens of what is shown of it.'),
  tokens_whole: z.int().describe('Tokens of the whole item.'),
  suspected_instructions: suspectedInstructions,
})

export const indexView = z.object({
  context_id: z.string(),
  title: z.string(),
  why: z.array(z.string()).describe('Words of the query that it holds; empty: found by meaning.'),
  probability: z.number(),
  tokens: z.int().describe('Tokens of its full text.'),
})

export const nearestView = z.object({
  context_id: z.string(),
  title: z.string().describe('Path, lines and symbol of code, else its title.'),
  probability: z.number().describe('Calibrated probability of relevance, 0 to 1.'),
  short_by: z
    .number()
    .describe('How far the probability that anything in its collection answers is below the threshold.'),
})

export const alreadySentView = z.object({
  context_id: z.string(),
  number: z.int().nullable().describe('The number it was shown under; null: the caller said that the model has it.'),
  title: z.string(),
})

export const absenceReason = z
  .enum(['nothing_relevant', 'already_sent', 'budget', 'control_group'])
  .nullable()
  .describe(
    'Why there is no context: nothing is relevant enough, all of it was sent before, none fits the budget, or it was withheld ' +
      'for the control group. Null when there is some.',
  )

/** The items that the context includes. */
export function viewContexts(result: Augmentation): z.input<typeof contextView>[] {
  return result.packed.map((entry, i) => ({
    context_id: result.contextIds[i] ?? '',
    number: result.numbers[i] ?? i + 1,
    collection: entry.item.collection,
    title: entry.item.title.split('\n')[0] ?? '',
    ...placeOf(entry),
    probability: entry.probability,
    tokens: entry.tokens,
    tokens_whole: entry.tokensWhole,
    ...warningOf(entry.item),
  }))
}

function placeOf({ item, excerpts }: Augmentation['packed'][number]) {
  const { file_path: path } = item.fields
  const lines = shownLines(item, excerpts)
  return {
    path: typeof path === 'string' ? path : null,
    start_line: lines?.start ?? null,
    end_line: lines?.end ?? null,
  }
}

/** The entries of the index. */
export function viewIndex(result: Augmentation): z.input<typeof indexView>[] {
  return result.index.map(({ contextId, title, matches, probability, tokens }) => ({
    context_id: contextId,
    title,
    why: matches,
    probability,
    tokens,
  }))
}

/** The items that were sent earlier. */
export function viewAlreadySent(result: Augmentation): z.input<typeof alreadySentView>[] {
  return result.alreadySent.map(({ contextId, number, title }) => ({ context_id: contextId, number, title }))
}

/** Reads items by context id, with one read per collection. Items that are not stored are missing from the result. */
export async function readItems(
  { knowledge }: Pick<Services, 'knowledge'>,
  project: string,
  ids: readonly string[],
): Promise<Map<string, StoredItem>> {
  const grouped = new Map<CollectionName, string[]>()
  for (const text of ids) {
    const { collection, id } = parseContextId(text) ?? { collection: EXTERNAL, id: '' }
    if (isCollection(collection)) grouped.set(collection, [...(grouped.get(collection) ?? []), id])
  }
  const found = await Promise.all([...grouped].map(([collection, own]) => knowledge.get({ project, collection }, own)))
  const items = found.flat().filter((item) => item !== null)
  return new Map(items.map((item) => [contextId(item.collection, item.id), item]))
}

/** The nearest items when nothing was relevant enough. */
export function viewNearest({ nearest, threshold }: Augmentation): z.input<typeof nearestView>[] {
  return nearest.map(({ item, probability, answerable }) => ({
    context_id: contextId(item.collection, item.id),
    title: sourceOf(item),
    probability,
    short_by: Math.max(0, threshold - answerable),
  }))
}

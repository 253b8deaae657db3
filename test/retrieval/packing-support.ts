import fc from 'fast-check'
import type { CollectionName } from '../../src/knowledge/collections.ts'
import { splitPassages } from '../../src/knowledge/passages.ts'
import { indexedText } from '../../src/knowledge/prepare.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { termsOf } from '../../src/retrieval/search.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'

export const countTokens = await tokenCounter()
export { termsOf }

let made = 0

/** An item, as returned by the store. */
export function itemOf(collection: CollectionName, fields: Record<string, unknown>): StoredItem {
  const { title, body } = indexedText(collection, fields)
  return {
    id: `00000000-0000-5000-8000-${String(++made).padStart(12, '0')}`,
    collection,
    key: `key ${made}`,
    fields,
    provenance: 'human',
    title,
    body,
    passages: splitPassages(body, countTokens),
    source: null,
    path: null,
    createdAt: 0,
    updatedAt: made,
    credit: { successes: 0, partials: 0, failures: 0 },
  }
}

export const practice = (title: string, description: string) => itemOf('best-practices', { title, description })
export const code = (file_path: string, code_snippet: string, start_line = 1) =>
  itemOf('codebase-context', { file_path, code_snippet, start_line })

const WORDS =
  'cookie session token header request response server client deploy rollback database index cache signing key rotate audit log'
const word = fc.oneof(fc.constantFrom(...WORDS.split(' ')), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }))
const sentence = fc.array(word, { minLength: 1, maxLength: 25 }).map((parts) => `${parts.join(' ')}. `)
const prose = fc.array(sentence, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''))
const source = fc
  .array(fc.tuple(word, word), { minLength: 1, maxLength: 60 })
  .map((lines) => lines.map(([a, b]) => `  const ${a} = ${b}() // {};`).join('\n'))

/** Items of two collections with arbitrary text. */
export const anyItem: fc.Arbitrary<StoredItem> = fc.oneof(
  fc.tuple(sentence, prose).map(([title, text]) => practice(title, text)),
  fc.tuple(word, source, fc.nat(5000)).map(([path, text, line]) => code(`src/${path}.ts`, text, line)),
)

export const anyItems = fc
  .array(fc.record({ item: anyItem, probability: fc.double({ min: 0.01, max: 1, noNaN: true }) }), { maxLength: 12 })
  .map((items) => items.sort((a, b) => b.probability - a.probability))

export const anyWeights = fc
  .array(fc.tuple(fc.constantFrom(...WORDS.split(' ')), fc.double({ min: 0.1, max: 9, noNaN: true })), { maxLength: 8 })
  .map((pairs) => new Map(pairs.flatMap(([text, weight]) => termsOf(text).map((term) => [term, weight] as const))))

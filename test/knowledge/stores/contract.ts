/** The contract of every knowledge store, as cases that run against any of them. */
import type { KnowledgeStore } from '../../../src/knowledge/stores/store.ts'
import { documentCases } from './contract-documents.ts'
import { itemCases } from './contract-items.ts'
import { keywordCases } from './contract-keywords.ts'
import { spaceCases } from './contract-spaces.ts'
import { vectorCases } from './contract-vectors.ts'

/** Requirements of the interface by name. Each case throws if the store violates it. */
export type Cases = Readonly<Record<string, (store: KnowledgeStore) => Promise<void>>>

export const CONTRACT: Readonly<Record<string, Cases>> = {
  items: itemCases,
  documents: documentCases,
  keywords: keywordCases,
  vectors: vectorCases,
  spaces: spaceCases,
}

/** Number of cases in the contract. */
export const CONTRACT_SIZE = Object.values(CONTRACT).reduce((sum, cases) => sum + Object.keys(cases).length, 0)

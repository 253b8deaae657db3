/** Runs the contract against one store and prints the number of its cases. */
import { afterAll, describe, expect, it } from 'vitest'
import type { KnowledgeStore } from '../../../src/knowledge/stores/store.ts'
import { CONTRACT, CONTRACT_SIZE } from './contract.ts'

/**
 * Declares one test per case.
 * @param name printed name of the store
 * @param open returns the store; cases use separate projects, so one store is sufficient for all
 */
export function runContract(name: string, open: () => KnowledgeStore): void {
  describe(`the contract of a knowledge store: ${name}`, () => {
    let kept = 0
    for (const [topic, cases] of Object.entries(CONTRACT)) {
      describe(topic, () => {
        for (const [promise, run] of Object.entries(cases)) {
          it(promise, async () => {
            await run(open())
            kept++
          })
        }
      })
    }
    it('ran every case', () => expect(kept).toBe(CONTRACT_SIZE))
    afterAll(() => console.log(`knowledge store contract, ${name}: ${kept} of ${CONTRACT_SIZE} cases kept`))
  })
}

/**
 * Runs the contract against one store and prints how many cases it holds.
 */
import { afterAll, describe, expect, it } from 'vitest'
import type { KnowledgeStore } from '../../../src/knowledge/stores/store.ts'
import { CONTRACT, CONTRACT_SIZE } from './contract.ts'

/**
 * Declares one test for each case.
 * @param name of the store, as it is printed
 * @param open gives the store; cases use projects of their own, so one store serves them all
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

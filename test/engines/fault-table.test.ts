/**
 * Each engine and each fault, with the whole Worker and its real deadlines: the answer reports what is missing, arrives
 * in time, and nothing wrong is stored.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import guide from '../../docs/engines.md?raw'
import { documentedLines, PROMISED } from './contract.ts'
import { ENGINES } from './engines.ts'
import { FAULTS } from './faults.ts'
import { timed, useVirtualTime } from './virtual-time.ts'

beforeEach(useVirtualTime)
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

let passed = 0
afterAll(() => console.log(`fault table: ${passed} of ${ENGINES.length * FAULTS.length} cells hold`))

for (const engine of ENGINES) {
  describe(engine.name, () => {
    it.each(FAULTS)('%s', async (fault) => {
      const world = engine.open()
      await timed(async () => engine.prepare?.(world))
      world.fault = fault
      world.asked = []
      const { value: answer } = await timed(() => engine.ask(world))
      expect(world.asked.length).toBeGreaterThan(0)
      engine.named(answer, fault)
      expect(answer.text).not.toContain('secret')
      await timed(() => engine.stored(world, fault))
      passed++
    })
  })
}

it('every engine of the contract is in the table, and the guide matches the contract', () => {
  expect(ENGINES.map(({ name }) => name).sort()).toEqual(Object.keys(PROMISED).sort())
  const lines = guide.split('\n')
  expect(documentedLines().filter((line) => !lines.includes(line))).toEqual([])
})

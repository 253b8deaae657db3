/**
 * Each engine and each fault, through the whole Worker with its real deadlines: the answer names what is missing, comes in time,
 * and nothing wrong is stored.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ENGINES, SLACK_MS } from './engines.ts'
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
      const { value: answer, tookMs } = await timed(() => engine.ask(world))
      expect(world.asked.length).toBeGreaterThan(0)
      expect(tookMs).toBeLessThanOrEqual(engine.deadlineMs + SLACK_MS)
      engine.named(answer, fault)
      expect(answer.text).not.toContain('secret')
      await timed(() => engine.stored(world, fault))
      passed++
    })
  })
}

import { expect, test } from 'vitest'
import { reliability, reliabilityDiagram } from '../eval/reliability.ts'

test('bins contain predictions and outcomes, without empty bins', () => {
  const bins = reliability([0.05, 0.02, 0.95, 1], [0, 1, 1, 1])
  expect(bins).toHaveLength(2)
  expect(bins[0]).toMatchObject({ count: 2, happened: 0.5 })
  expect(bins[0]?.said).toBeCloseTo(0.035)
  expect(bins[0]?.margin).toBeCloseTo(1.96 * Math.sqrt(0.125))
  expect(bins[1]).toMatchObject({ count: 2, happened: 1, margin: 0 })
})

test('the diagram has one point per bin and escapes names', () => {
  const svg = reliabilityDiagram({ 'a<b': reliability([0.1, 0.6], [0, 1]) }, 'router & friends')
  expect(svg.match(/<circle/g)).toHaveLength(2)
  expect(svg).toContain('a&#60;b')
  expect(svg).toContain('router &#38; friends')
})

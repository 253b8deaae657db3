import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  effectOf,
  SPECTRUM_STEPS,
  spectrumOf,
  thresholdForShare,
  thresholdForSuccess,
} from '../../src/routing/threshold.ts'

const probability = fc.double({ min: 0, max: 1, noNaN: true })
const spectrum = fc
  .array(probability, { minLength: 1, maxLength: 400 })
  .map((values) => spectrumOf(Float64Array.from(values)))

test('a spectrum rises from the least to the greatest', () => {
  fc.assert(
    fc.property(spectrum, (quantiles) => {
      expect(quantiles).toHaveLength(SPECTRUM_STEPS + 1)
      expect(quantiles).toEqual([...quantiles].sort((a, b) => a - b))
    }),
  )
  expect(spectrumOf(new Float64Array())).toEqual([])
})

test('a higher threshold leaves less to the local model and expects a higher success rate', () => {
  fc.assert(
    fc.property(spectrum, probability, probability, (quantiles, a, b) => {
      const [low, high] = [effectOf(quantiles, Math.min(a, b)), effectOf(quantiles, Math.max(a, b))]
      expect(high.localShare).toBeLessThanOrEqual(low.localShare)
      if (high.localSuccess !== null) expect(high.localSuccess).toBeGreaterThanOrEqual((low.localSuccess ?? 0) - 1e-9)
    }),
  )
})

test('the threshold for a success rate reaches it, or lets nothing below certainty through', () => {
  fc.assert(
    fc.property(spectrum, probability, (quantiles, wanted) => {
      const threshold = thresholdForSuccess(quantiles, wanted)
      const { localSuccess } = effectOf(quantiles, threshold)
      expect(threshold === 1 || (localSuccess ?? 0) >= wanted).toBe(true)
    }),
  )
})

test('the threshold for a share gives about that share if probabilities differ', () => {
  const quantiles = spectrumOf(Float64Array.from({ length: 1_000 }, (_, i) => i / 1_000))
  for (const share of [0.1, 0.25, 0.5, 0.9]) {
    expect(effectOf(quantiles, thresholdForShare(quantiles, share)).localShare).toBeCloseTo(share, 1)
  }
  expect(thresholdForShare(quantiles, 0)).toBe(1)
  expect(effectOf(quantiles, thresholdForShare(quantiles, 1)).localShare).toBe(1)
})

import { describe, expect, it } from 'vitest'
import type { ExperimentArm, LedgerSums, TokenSums } from '../../src/database/queries/ledger.ts'
import { tokenLedger } from '../../src/experiments/token-ledger.ts'

const none: TokenSums = { n: 0, sum: 0, squares: 0 }
const noArm: ExperimentArm = { retrievals: 0, answers: 0, tokens: none }
const sumsOf = (values: readonly number[]): TokenSums => ({
  n: values.length,
  sum: values.reduce((a, b) => a + b, 0),
  squares: values.reduce((a, b) => a + b * b, 0),
})
const empty: LedgerSums = {
  augmentations: 0,
  withContext: 0,
  added: 0,
  spared: 0,
  whole: 0,
  topWhole: 0,
  documents: { tokens: 0, added: 0, n: 0 },
  local: none,
  remote: none,
  localAnswers: 0,
  unreported: 0,
  treated: noArm,
  control: noArm,
}

describe('token ledger', () => {
  it('estimates nothing from nothing', () => {
    const { estimated, unknown } = tokenLedger(empty)
    expect(Object.values(estimated)).toEqual([null, null])
    expect(unknown.map(({ name }) => name)).toEqual(['context_effect_on_tokens'])
    expect(unknown[0]?.reason).toContain('CONTROL_GROUP_SHARE')
  })

  it('estimates the remote answers replaced by local ones, with an interval', () => {
    const ledger = tokenLedger({ ...empty, localAnswers: 10, remote: sumsOf([900, 1000, 1100]) })
    const replaced = ledger.estimated.remote_replaced_by_local
    expect(replaced?.value).toBe(10_000)
    // One-sample t interval: 1000 ± 4.303 · 100 / √3, times ten answers.
    expect(replaced?.low).toBeCloseTo(10_000 - 2484, -1)
    expect(replaced?.high).toBeCloseTo(10_000 + 2484, -1)
    expect(tokenLedger({ ...empty, localAnswers: 10, remote: sumsOf([900]) }).unknown[0]?.name).toBe(
      'remote_replaced_by_local',
    )
  })

  it('estimates the effect of context from the control group', () => {
    const arm = (tokens: number[]): ExperimentArm => ({
      retrievals: tokens.length,
      answers: tokens.length,
      tokens: sumsOf(tokens),
    })
    const { estimated } = tokenLedger({
      ...empty,
      treated: arm([500, 510, 490, 505, 495]),
      control: arm([700, 710, 690, 705, 695]),
    })
    expect(estimated.context_effect_on_tokens?.value).toBeCloseTo(-200)
    expect(estimated.context_effect_on_tokens?.high).toBeLessThan(-180)
  })

  it('reports how many answers came without tokens', () => {
    expect(tokenLedger({ ...empty, unreported: 3 }).unknown.at(-1)).toMatchObject({ name: 'used' })
  })
})

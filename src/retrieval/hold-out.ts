/**
 * Leaves one item out of a small share of augmentations, at random, so that what the item adds can be measured. Pure.
 * @module
 */

/** With fewer chosen items none is left out: a measurement must not leave a prompt without context. */
const MIN_ITEMS = 2

/** What the draw of one augmentation was, and what it gave. */
export interface HoldOut<Id> {
  /** The item left out; null: all are shown. */
  readonly heldOut: Id | null
  /** Probability that any was left out; 0: none could be. */
  readonly share: number
  /** Items in the draw, each left out with probability share / items. */
  readonly items: number
}

/** No draw. */
export const NO_HOLD_OUT: HoldOut<never> = { heldOut: null, share: 0, items: 0 }

/**
 * Draws whether and which of the chosen items is left out, each with the same probability.
 * @param share probability that one is left out, 0 to 1
 * @param draw uniform in [0, 1)
 */
export function drawHoldOut<Id>(chosen: readonly Id[], share: number, draw: number): HoldOut<Id> {
  if (chosen.length < MIN_ITEMS || share <= 0) return NO_HOLD_OUT
  const heldOut = draw < share ? (chosen[Math.floor((draw / share) * chosen.length)] ?? null) : null
  return { heldOut, share, items: chosen.length }
}

/**
 * Probability that all were shown, given that either all were shown or this one item was left out: what compares one item's
 * hold-outs with the augmentations that showed everything, whatever else was left out elsewhere.
 * @returns 0 to 1
 */
export function shownProbability(share: number, items: number): number {
  const out = items > 0 ? share / items : 0
  return 1 - share + out > 0 ? (1 - share) / (1 - share + out) : 0
}

/**
 * Leaves out one random item in a small share of augmentations, so that the item's effect can be measured. Pure.
 * @module
 */

/** With fewer items, none is left out: a measurement must not leave a prompt without context. */
const MIN_ITEMS = 2

/** The random draw of one augmentation and its result. */
export interface HoldOut<Id> {
  /** The item left out; null: none. */
  readonly heldOut: Id | null
  /** Probability that any item was left out; 0: not eligible. */
  readonly share: number
  /** Number of items in the draw. Each is left out with probability share / items. */
  readonly items: number
}

/** No draw. */
export const NO_HOLD_OUT: HoldOut<never> = { heldOut: null, share: 0, items: 0 }

/**
 * Draws whether an item is left out, and which one. Each item has the same probability.
 * @param share probability that one is left out, 0 to 1
 * @param draw uniform in [0, 1)
 */
export function drawHoldOut<Id>(chosen: readonly Id[], share: number, draw: number): HoldOut<Id> {
  if (chosen.length < MIN_ITEMS || share <= 0) return NO_HOLD_OUT
  const heldOut = draw < share ? (chosen[Math.floor((draw / share) * chosen.length)] ?? null) : null
  return { heldOut, share, items: chosen.length }
}

/**
 * Probability that all items were included, given that either all were included or only this item was left out. It
 * allows a comparison of one item's hold-outs with augmentations that included everything, independent of other
 * hold-outs.
 * @returns 0 to 1
 */
export function shownProbability(share: number, items: number): number {
  const out = items > 0 ? share / items : 0
  return 1 - share + out > 0 ? (1 - share) / (1 - share + out) : 0
}

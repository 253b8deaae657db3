/**
 * Encodes a router as text for the database, and decodes it. About 390 KB, independent of the number of examples.
 *
 * JSON `{format, scale, sides: {local, remote}}`; of each side `weights` are 16-bit integers times `step`, and `novelty` is
 * 8 bits on a logarithmic scale (1/12 of an octave under 1/penalty), both little-endian and base64.
 * @module
 */

import * as z from 'zod'
import { fromBase64, toBase64 } from '../encoding.ts'
import { BINS, COLUMNS, type Scale } from './design.ts'
import { MEASURES } from './features.ts'
import { PENALTY } from './ridge.ts'
import type { Router, Side } from './router.ts'

/** Changes with the meaning of any column. A router of another format is not read but trained again. */
export const ROUTER_FORMAT = 'router-2'
const OCTAVE_STEPS = 12

const perMeasure = z.array(z.number()).length(MEASURES.length)
const sideText = z.object({
  examples: z.int(),
  successes: z.number(),
  mean: z.number(),
  calibration: z.object({ offset: z.number(), slope: z.number() }),
  noise: z.number(),
  spread: z.number(),
  spectrum: z.array(z.number()).readonly(),
  step: z.number(),
  weights: z.string(),
  novelty: z.string(),
})
const routerText = z.object({
  format: z.literal(ROUTER_FORMAT),
  scale: z.object({
    ends: z.array(z.array(z.number()).length(BINS - 1)).length(MEASURES.length),
    means: perMeasure,
    deviations: perMeasure,
  }),
  sides: z.object({ local: sideText.nullable(), remote: sideText.nullable() }),
})

/** Encodes a router. */
export function encodeRouter(router: Router): string {
  const sides = { local: encodeSide(router.sides.local), remote: encodeSide(router.sides.remote) }
  return JSON.stringify({ format: ROUTER_FORMAT, scale: router.scale, sides } satisfies z.input<typeof routerText>)
}

/** Decodes a router; null if the text has another format or is damaged. */
export function decodeRouter(text: string): Router | null {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  const parsed = routerText.safeParse(json)
  if (!parsed.success) return null
  const { scale, sides } = parsed.data
  const local = sides.local && decodeSide(sides.local)
  const remote = sides.remote && decodeSide(sides.remote)
  if (local === undefined || remote === undefined) return null
  return { scale: scale satisfies Scale, sides: { local, remote } }
}

function encodeSide(side: Side | null): z.output<typeof sideText> | null {
  if (!side) return null
  const { weights, novelty, ...rest } = side
  let largest = 0
  for (const weight of weights) largest = Math.max(largest, Math.abs(weight))
  const step = largest / 32_767 || 1
  const codes = new DataView(new ArrayBuffer(COLUMNS * 2))
  const counts = new Uint8Array(COLUMNS)
  for (let j = 0; j < COLUMNS; j++) {
    codes.setInt16(j * 2, Math.round((weights[j] ?? 0) / step), true)
    counts[j] = Math.min(255, Math.round(-OCTAVE_STEPS * Math.log2(PENALTY * (novelty[j] ?? 0))))
  }
  return { ...rest, step, weights: toBase64(new Uint8Array(codes.buffer)), novelty: toBase64(counts) }
}

function decodeSide({ step, weights, novelty, ...rest }: z.output<typeof sideText>): Side | undefined {
  const codes = fromBase64(weights)
  const counts = fromBase64(novelty)
  if (codes?.length !== COLUMNS * 2 || counts?.length !== COLUMNS) return undefined
  const view = new DataView(codes.buffer)
  const side = { ...rest, weights: new Float32Array(COLUMNS), novelty: new Float32Array(COLUMNS) }
  for (let j = 0; j < COLUMNS; j++) {
    side.weights[j] = view.getInt16(j * 2, true) * step
    side.novelty[j] = 2 ** (-(counts[j] ?? 0) / OCTAVE_STEPS) / PENALTY
  }
  return side
}

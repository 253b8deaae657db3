/**
 * What earlier answers named, so that later requests meet what exists.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'

/** Ids and context ids that some answer has named. */
export interface Pool {
  readonly ids: string[]
  readonly contextIds: string[]
}

/** Ids of each kind that are kept at most; later ones take the places of earlier ones by chance. */
const MAX_KEPT = 200

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[57][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
/**
 * A collection's name begins where no letter stands before it, and is short. Without both the search takes a time that grows with the
 * square of a long word: an answer that repeats 70,000 letters kept the fuzzer from reading all others for eight seconds.
 */
const CONTEXT_ID = /(?<![a-z])[a-z]{1,30}-[a-z]{1,30}\/[0-9a-f]{8}-[0-9a-f-]{27}/g

/** Keeps the ids that an answer names, in a time in proportion to its length. */
export function harvest(body: string, pool: Pool, random: Random): void {
  for (const [id] of body.matchAll(ID)) keep(pool.ids, id, random)
  for (const [id] of body.matchAll(CONTEXT_ID)) keep(pool.contextIds, id, random)
}

function keep(list: string[], id: string, random: Random): void {
  if (list.length < MAX_KEPT) list.push(id)
  else list[Math.floor(random() * list.length)] = id
}

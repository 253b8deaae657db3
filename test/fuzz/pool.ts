/**
 * Ids from earlier answers, so that later requests refer to existing data.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'

/** Ids and context ids from answers. */
export interface Pool {
  readonly ids: string[]
  readonly contextIds: string[]
}

/** Maximum number of stored ids of each kind. Later ones randomly replace earlier ones. */
const MAX_KEPT = 200

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[57][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
/**
 * A collection's name is short, and not preceded by a letter. Without both conditions, the search takes quadratic time
 * on a long word: an answer with 70,000 repeated letters blocked the fuzzer for eight seconds.
 */
const CONTEXT_ID = /(?<![a-z])[a-z]{1,30}-[a-z]{1,30}\/[0-9a-f]{8}-[0-9a-f-]{27}/g

/** Stores the ids in an answer, in linear time. */
export function harvest(body: string, pool: Pool, random: Random): void {
  for (const [id] of body.matchAll(ID)) keep(pool.ids, id, random)
  for (const [id] of body.matchAll(CONTEXT_ID)) keep(pool.contextIds, id, random)
}

function keep(list: string[], id: string, random: Random): void {
  if (list.length < MAX_KEPT) list.push(id)
  else list[Math.floor(random() * list.length)] = id
}

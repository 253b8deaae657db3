/**
 * British and American spellings of one word, as stems: who asks for "recognised" finds "recognized". Pure.
 * @module
 */

/** Stems that follow no rule. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['centr', 'center'],
  ['grei', 'grai'],
  ['artefact', 'artifact'],
  ['programm', 'program'],
  ['licenc', 'licens'],
  ['defenc', 'defens'],
  ['cheque', 'check'],
  ['fibr', 'fiber'],
  ['metr', 'meter'],
]
const IRREGULAR: ReadonlyMap<string, string> = new Map(PAIRS.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]))

/** What a British stem ends in, and what the American one does. */
const ENDINGS: readonly (readonly [string, string])[] = [
  ['is', 'iz'],
  ['ys', 'yz'],
  ['our', 'or'],
  ['ogu', 'og'],
]
/** Shorter stems are other words: "rise", "hour". */
const SHORTEST = 5

/**
 * The same word's stem in the other spelling; null where there is none by the rules. A rule may name a stem that is no word, so
 * take it only where a collection holds it.
 * @example otherSpelling('recognis') // 'recogniz'
 */
export function otherSpelling(stem: string): string | null {
  const irregular = IRREGULAR.get(stem)
  if (irregular !== undefined) return irregular
  if (stem.length < SHORTEST || !/^[a-z]+$/.test(stem)) return null
  for (const [british, american] of ENDINGS) {
    if (stem.endsWith(british)) return stem.slice(0, -british.length) + american
    if (stem.endsWith(american)) return stem.slice(0, -american.length) + british
  }
  return null
}

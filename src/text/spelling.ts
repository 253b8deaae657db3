/**
 * British and American spellings of one word, as Porter stems: who asks for "recognised" finds "recognized". Pure.
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
  ['fibr', 'fiber'],
]
const IRREGULAR: ReadonlyMap<string, string> = new Map(PAIRS.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]))

/** What a British stem ends in, and what the American one does: the stemmer takes "ize" off longer words, and "ise" never. */
const ENDINGS: readonly (readonly [string, string])[] = [
  ['is', 'iz'],
  ['is', ''],
  ['ys', 'yz'],
  ['our', 'or'],
  ['ogu', 'og'],
]
/** Shorter stems are other words: "rise", "hour". */
const MIN_LENGTH = 5

/**
 * Stems that the same word may have in the other spelling. A rule may name a stem that is no word, so take one only where a collection
 * holds it.
 * @example otherSpellings('recognis') // ['recogniz', 'recogn']
 */
export function otherSpellings(stem: string): string[] {
  const irregular = IRREGULAR.get(stem)
  if (irregular !== undefined) return [irregular]
  if (stem.length < MIN_LENGTH || !/^[a-z]+$/.test(stem)) return []
  return ENDINGS.flatMap(([british, american]) => [
    ...(stem.endsWith(british) ? [stem.slice(0, -british.length) + american] : []),
    ...(stem.endsWith(american) ? [stem.slice(0, stem.length - american.length) + british] : []),
  ]).filter((other) => other.length >= MIN_LENGTH - 1)
}

/**
 * British and American spellings of a word, as Porter stems: a search for "recognised" finds "recognized". Pure.
 * @module
 */

/** Irregular stems. */
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

/**
 * Endings of British stems and the corresponding American ones: the stemmer removes "ize" from longer words, but never
 * "ise".
 */
const ENDINGS: readonly (readonly [string, string])[] = [
  ['is', 'iz'],
  ['is', ''],
  ['ys', 'yz'],
  ['our', 'or'],
  ['ogu', 'og'],
]
/** Shorter stems are different words: "rise", "hour". */
const MIN_LENGTH = 5

/**
 * Possible stems of the same word in the other spelling. A rule may produce a stem that is not a word, so use a stem
 * only if the collection contains it.
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

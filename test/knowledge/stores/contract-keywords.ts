/** Keyword search: whole words of every script, names as typed, and no text that breaks it. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { documentColumns, queryTerms } from '../../../src/text/index-terms.ts'
import { type KeywordPlan, planKeywordSearch } from '../../../src/text/keyword-plan.ts'
import { termList } from '../../../src/text/term-list.ts'
import type { Cases } from './contract.ts'
import { Bench, madeUpWord } from './contract-samples.ts'

/** Texts that have broken search engines: each search must succeed, with or without results. */
const HOSTILE = [
  '',
  ' \t\n',
  '"',
  '" OR "',
  'a AND OR NOT b',
  'title:proxy',
  'NEAR(a b, 2)',
  '{title body} : x',
  '^start',
  'prefix*',
  '-minus +plus',
  "'; DROP TABLE items; --",
  '%_\\',
  '🦊🦊🦊 👩‍👩‍👧‍👦',
  'مرحبا بالعالم',
  'שלום עולם \u202etxet desrever',
  '\ud800 lone surrogate',
  '\u0000nul',
  '((((((((',
  '...///---',
  'the of and a',
  'x'.repeat(100_000),
  'proxy reload '.repeat(7700),
]

/** The expected weights of a question in a collection with these figures. */
function plan(text: string, items: number, documentFrequencies: Record<string, number>): KeywordPlan {
  return planKeywordSearch(queryTerms(text), {
    items,
    averageLength: 2,
    documentFrequencies: new Map(Object.entries(documentFrequencies)),
  })
}

export const keywordCases: Cases = {
  'candidates include their term lists if requested, and only then': async (store) => {
    const bench = new Bench(store)
    const items = await bench.put({ a: 'A heron stands in the lake.', b: 'Another heron.' })
    const found = await bench.search('heron', { lists: true })
    expect(found.candidates).toHaveLength(2)
    for (const { item, list } of found.candidates) {
      const { title = '', body = '' } = items.find(({ id }) => id === item.id) ?? {}
      expect(Array.from(list ?? [])).toEqual(Array.from(termList(documentColumns({ title, body }))))
    }
    const without = await bench.search('heron')
    expect(without.candidates.map(({ list }) => list)).toEqual([undefined, undefined])
  },

  'words match as a whole, never within others': async (store) => {
    const bench = new Bench(store)
    await bench.put({ unix: 'A unix system.', nix: 'A nix flake.', phoenix: 'The phoenix rises.' })
    expect(await bench.byKeyword('nix')).toEqual(['nix'])
    expect(await bench.byKeyword('unix')).toEqual(['unix'])
    expect(await bench.byKeyword('ix')).toEqual([])
  },

  'every item can be found, including those beyond the first 60': async (store) => {
    const bench = new Bench(store)
    const texts = Object.fromEntries(
      Array.from({ length: 150 }, (_, i) => [`k${i}`, `Common words and ${madeUpWord(i)}.`]),
    )
    await bench.put(texts)
    for (const i of [0, 59, 60, 61, 99, 100, 149]) expect(await bench.byKeyword(madeUpWord(i))).toEqual([`k${i}`])
    expect(await bench.byKeyword('common', { limit: 40 })).toHaveLength(40)
  },

  'rare words weigh more than common ones': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`c${i}`, `The server log of day ${i + 100}.`])),
      rare: 'The axolotl log.',
      common: 'The server log, the server log.',
    })
    expect((await bench.byKeyword('server axolotl'))[0]).toBe('rare')
  },

  'repeated words and short texts score higher': async (store) => {
    const bench = new Bench(store)
    const filler = Array.from({ length: 80 }, (_, i) => `filler${i}`).join(' ')
    await bench.put({ long: `tapir ${filler}`, short: 'tapir', other: 'nothing here' })
    expect(await bench.byKeyword('tapir')).toEqual(['short', 'long'])
  },

  'scripts without Latin letters are searchable': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      japanese: '設定ファイルを再読み込みする方法',
      chinese: '如何重新加载反向代理的配置',
      russian: 'Как перезагрузить обратный прокси',
      greek: 'Επανεκκίνηση του διακομιστή',
      arabic: 'كيفية إعادة تحميل الخادم',
      hebrew: 'טעינה מחדש של השרת',
      hindi: 'सर्वर को पुनः आरंभ करें',
      thai: 'วิธีรีสตาร์ทเซิร์ฟเวอร์',
      korean: '서버를 다시 시작하는 방법',
    })
    for (const [text, key] of [
      ['再読み込み', 'japanese'],
      ['反向代理', 'chinese'],
      ['обратный прокси', 'russian'],
      ['διακομιστή', 'greek'],
      ['الخادم', 'arabic'],
      ['השרת', 'hebrew'],
      ['सर्वर', 'hindi'],
      ['เซิร์ฟเวอร์', 'thai'],
      ['방법', 'korean'],
    ] as const) {
      expect((await bench.byKeyword(text))[0], text).toBe(key)
    }
  },

  'names of languages, flags and operators are words': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      cpp: 'Templates in C++ explained.',
      csharp: 'Delegates in C# explained.',
      c: 'Pointers in C explained.',
      flag: 'Build it with --no-cache each time.',
      dotnet: 'A .NET service.',
    })
    expect((await bench.byKeyword('C++'))[0]).toBe('cpp')
    expect((await bench.byKeyword('C#'))[0]).toBe('csharp')
    expect((await bench.byKeyword('--no-cache'))[0]).toBe('flag')
    expect((await bench.byKeyword('.NET'))[0]).toBe('dotnet')
  },

  'paths, identifiers and their parts are found': async (store) => {
    const bench = new Bench(store)
    await bench.put({
      path: 'See src/server/httpRouter.ts for the routes.',
      camel: 'Call getUserName before rendering.',
      snake: 'Set max_retry_count in the settings.',
      constant: 'Raise PROXY_READ_TIMEOUT to a minute.',
    })
    for (const [text, key] of [
      ['src/server/httpRouter.ts', 'path'],
      ['httpRouter', 'path'],
      ['getUserName', 'camel'],
      ['user name', 'camel'],
      ['max_retry_count', 'snake'],
      ['retry count', 'snake'],
      ['PROXY_READ_TIMEOUT', 'constant'],
    ] as const) {
      expect((await bench.byKeyword(text))[0], text).toBe(key)
    }
  },

  'error messages are found as printed': async (store) => {
    const bench = new Bench(store, { collection: 'error-solutions' })
    await bench.put({
      port: { error_message: 'Error: listen EADDRINUSE: address already in use :::3000', solution: 'Stop the other.' },
      module: { error_message: "Cannot find module '@scope/pkg-name'", solution: 'Install it.' },
      code: { error_message: 'E0499: cannot borrow `x` as mutable more than once at a time', solution: 'Split it.' },
    })
    expect((await bench.byKeyword('Error: listen EADDRINUSE: address already in use :::3000'))[0]).toBe('port')
    expect((await bench.byKeyword('EADDRINUSE'))[0]).toBe('port')
    expect((await bench.byKeyword("Cannot find module '@scope/pkg-name'"))[0]).toBe('module')
    expect((await bench.byKeyword('E0499'))[0]).toBe('code')
  },

  'accents and case do not matter': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'Die Größe des Cafés in ZÜRICH.' })
    for (const text of ['zürich', 'ZURICH', 'cafes', 'größe']) expect(await bench.byKeyword(text), text).toEqual(['a'])
  },

  'hostile texts never fail, with or without results': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'Reload the reverse proxy.', b: 'x = y AND z' })
    for (const text of HOSTILE) {
      const { candidates } = await bench.search(text, { limit: 5 })
      expect(candidates.length, JSON.stringify(text.slice(0, 40))).toBeLessThanOrEqual(15)
    }
    expect(await bench.byKeyword('proxy')).toEqual(['a'])
  },

  'hostile texts can be stored': async (store) => {
    const bench = new Bench(store)
    const texts = HOSTILE.map((text) => text.slice(0, 3000)).filter(
      (text) => text.trim() !== '' && !text.includes('\u0000') && text.isWellFormed(),
    )
    const items = await bench.put(Object.fromEntries(texts.map((text, i) => [`k${i}`, text])))
    const stored = await store.get(
      bench.scope,
      items.map(({ id }) => id),
    )
    expect(stored.map((item) => item?.body)).toEqual(texts)
  },

  'any text can be searched for': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'Reload the reverse proxy.' })
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (text) => {
        const { candidates, terms } = await bench.search(text)
        for (const { keyword } of candidates) expect(keyword?.score).toBeGreaterThanOrEqual(0)
        for (const { idf } of terms) expect(idf).toBeGreaterThan(0)
      }),
      { numRuns: 25 },
    )
  },

  'search returns the number of items and the rarity of each term': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'red fox', b: 'red whale', c: 'red snake', d: 'green grass' })
    const { items, terms, totalIdf, attainable } = await bench.search('red whale unicorn')
    expect(items).toBe(4)
    const expected = plan('red whale unicorn', 4, { red: 3, whale: 1 })
    for (const [i, { term, idf }] of expected.terms.entries()) {
      expect(terms[i]?.term).toBe(term)
      expect(terms[i]?.idf).toBeCloseTo(idf, 3)
    }
    expect(totalIdf).toBeCloseTo(expected.totalIdf, 2)
    expect(attainable).toBeCloseTo(expected.attainable, 2)
  },

  'the rarity of a term depends only on the project': async (store) => {
    const mine = new Bench(store)
    const other = new Bench(store)
    await mine.put({ a: 'quokka one', b: 'nothing' })
    await other.put({ a: 'quokka', b: 'quokka two', c: 'quokka three' })
    const { totalIdf, items } = await mine.search('quokka')
    expect(items).toBe(2)
    expect(totalIdf).toBeCloseTo(plan('quokka', 2, { quokka: 1 }).totalIdf, 2)
  },

  'evidence counts the terms of an item': async (store) => {
    const bench = new Bench(store)
    await bench.put({ one: 'red fox', two: 'red whale', none: 'green grass' })
    const { candidates } = await bench.search('red whale')
    const evidence = Object.fromEntries(candidates.map(({ item, keyword }) => [item.key, keyword]))
    expect(evidence.two).toMatchObject({ matched: 2, length: 2 })
    expect(evidence.two?.coverage).toBeCloseTo(1)
    expect(evidence.one).toMatchObject({ matched: 1, length: 2 })
    expect(evidence.one?.coverage).toBeLessThan(0.6)
    if (evidence.none) expect(evidence.none).toMatchObject({ matched: 0, score: 0, coverage: 0 })
  },

  'a search without the keyword list has no keyword scores': async (store) => {
    const bench = new Bench(store)
    await bench.put({ a: 'red fox', b: 'red whale' })
    const { candidates } = await bench.search('red fox', { keyword: false })
    expect(candidates.map(({ keyword }) => keyword)).toEqual([null, null])
  },

  'at most the limit of each list and of both together': async (store) => {
    const bench = new Bench(store)
    await bench.put(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`k${i}`, `shared words number${i}`])))
    const { candidates } = await bench.search('shared words', { limit: 4 })
    expect(candidates.length).toBeGreaterThanOrEqual(4)
    expect(candidates.length).toBeLessThanOrEqual(12)
    expect(new Set(candidates.map(({ item }) => item.id)).size).toBe(candidates.length)
  },
}

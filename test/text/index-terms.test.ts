import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collectionTerms, documentColumns, queryTerms } from '../../src/text/index-terms.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc
    .array(fc.constantFrom('"', '*', 'NEAR(', 'AND', 'OR', 'NOT', 'body:', '^', '+', '(', ')', '\0', '-', '🚀', 'שלום'))
    .map((parts) => parts.join(' ')),
)

/** Whether this question finds a document with this body, i.e. they share a term. */
function finds(question: string, body: string): boolean {
  const columns = documentColumns({ body })
  const indexed = new Set(`${columns.title} ${columns.body} ${columns.identifiers}`.split(' '))
  return queryTerms(question).some(({ term }) => indexed.has(term))
}

describe('queryTerms', () => {
  it('are single words or names without white space, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const { term } of queryTerms(text)) expect(term).toMatch(/^\S+$/u)
      }),
    )
  })

  it('are empty if nothing is searchable', () => {
    for (const text of ['', ' ', '"', '*', '\0', '(', '\ud800']) expect(queryTerms(text), text).toEqual([])
  })

  it('drop function words unless there is nothing else', () => {
    expect(queryTerms('how to be the best').map(({ term }) => term)).toEqual(['best'])
    expect(queryTerms('to be').map(({ term }) => term)).toEqual(['to', 'be'])
  })

  it('count a repeated term', () => {
    expect(queryTerms('cache caches caching cached')).toEqual([{ term: 'cach', kind: 'word', count: 4 }])
  })

  it('stays small for 100 kB', () => {
    const long = Array.from({ length: 12_000 }, (_, i) => `word${i}`).join(' ')
    expect(queryTerms(long).length).toBeLessThanOrEqual(32)
    expect(queryTerms('-'.repeat(100_000)).length).toBe(0)
    expect(queryTerms(`${'.'.repeat(100_000)}x`).length).toBeLessThanOrEqual(2)
  })
})

describe('documentColumns', () => {
  it('finds every text by itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        if (queryTerms(text).length > 0) expect(finds(text, text)).toBe(true)
      }),
    )
  })
})

describe('matching', () => {
  it.each([
    ['getUserName', 'def get_user_name(self)'],
    ['get user name', 'function getUserName() {}'],
    ['get_user_name', 'class GetUserName'],
    ['autoincrement', 'this.config.autoIncrement = true'],
    ['readonlyproperties', 'READ_ONLY_PROPERTIES = []'],
    ['C++', 'modern C++ templates'],
    ['C#', 'a C# class'],
    ['--no-cache', 'docker build --no-cache .'],
    ['E0382', 'error[E0382]: borrow of moved value'],
    ['src/app.ts:42', 'thrown at src/app.ts:42'],
    ['app.ts', 'see src/app.ts:42.'],
    ['.env', 'put it in ".env".'],
    ['@scope/pkg', "import x from '@scope/pkg'"],
    ['=>', '(x) => y'],
    ['running', 'it runs'],
    ['cafe', 'Café'],
    ['naïve', 'NAIVE'],
    ['東京', '東京都に住む'],
    ['京', '東京都に住む'],
    ['데이터베이스', '데이터베이스 설정'],
    ['ฐานข้อมูล', 'การตั้งค่าฐานข้อมูลใหม่'],
    ['قاعدة البيانات', 'إعداد قاعدة البيانات'],
    ['מסד נתונים', 'הגדרת מסד נתונים'],
    ['डेटाबेस', 'नया डेटाबेस बनाएं'],
    ['база данных', 'Новая база данных'],
    ['βάση', 'ΒΑΣΗ δεδομένων'],
    ['🚀', 'ship it 🚀'],
  ])('%s finds %s', (question, body) => {
    expect(finds(question, body)).toBe(true)
  })

  it.each([
    ['nix', 'a unix shell'],
    ['C++', 'plain C code'],
    ['C#', 'C++ code'],
    ['--no-cache', 'no such thing'],
  ])('the compounds of %s do not match %s', (question, body) => {
    const compounds = queryTerms(question).filter(({ kind }) => kind === 'compound')
    const { identifiers } = documentColumns({ body })
    for (const { term } of compounds) expect(identifiers.split(' ')).not.toContain(term)
    if (compounds.length === 0) expect(finds(question, body)).toBe(false)
  })
})

describe('collectionTerms', () => {
  const named = (text: string, ...held: string[]) =>
    collectionTerms(text, (term) => (held.includes(term) ? 1 : 0))
      .filter(({ kind }) => kind === 'phrase')
      .map(({ term }) => term)

  it('asks for the initials of neighbouring words where the collection holds them', () => {
    const { identifiers, body } = documentColumns({ body: 'const streamSSE = (c) => new SSEStreamingApi(c)' })
    expect(named('How do I send server-sent events?', ...`${identifiers} ${body}`.split(' '))).toEqual(['sse'])
    expect(named('cross-site request forgery protection', 'csrf')).toEqual(['csrf'])
    expect(named('cross origin resource sharing', ...documentColumns({ body: 'cors()' }).body.split(' '))).toHaveLength(
      1,
    )
  })

  it('asks for no initials that the collection lacks, of two words, or across function words', () => {
    expect(named('server-sent events', 'other')).toEqual([])
    expect(named('server events', 'se')).toEqual([])
    expect(named('react effect state', 're', 'res')).toEqual([])
    expect(named('a server that sent all events', 'sse', 'stsae')).toEqual([])
  })
})

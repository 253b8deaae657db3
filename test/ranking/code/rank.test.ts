import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CodePiece } from '../../../src/ranking/code/features.ts'
import { CODE_FEATURES } from '../../../src/ranking/code/features.ts'
import { fuseCode } from '../../../src/ranking/code/fuse-code.ts'
import { readQuestion } from '../../../src/ranking/code/question.ts'
import { rankCode } from '../../../src/ranking/code/rank.ts'
import { codeWeights } from '../../../src/ranking/code/weights.ts'
import { queryTerms } from '../../../src/text/index-terms.ts'
import { analyseQuery } from '../../../src/text/query-analysis.ts'

const SPACES = ['static-256-v1', 'minilm-l6-256-v1'].map((name) => ({ name, dimensions: 256 }))

const questionOf = (text: string) =>
  readQuestion(
    analyseQuery(text),
    queryTerms(text).map((term) => ({ ...term, idf: 3 })),
  )

const piece = (path: string, more: Partial<CodePiece> = {}): CodePiece => ({
  path,
  symbols: [],
  body: `text of ${path}`,
  kind: null,
  keyword: 5,
  coverage: 0.5,
  length: 1,
  closeness: 3,
  ...more,
})

function order(text: string, pieces: readonly CodePiece[], space = SPACES[0]): string[] {
  const ranked = rankCode(questionOf(text), pieces, { attainable: 20 }, codeWeights(space as (typeof SPACES)[number]))
  return [...pieces.keys()]
    .sort((a, b) => (ranked[b]?.score ?? 0) - (ranked[a]?.score ?? 0))
    .map((i) => pieces[i]?.path ?? '')
}

describe.each(SPACES)('ranking of code with vectors of $name', (space) => {
  it('ranks the source before a test, a document, a changelog and an example with the same content', () => {
    const pieces = ['src/cors.test.ts', 'docs/cors.md', 'CHANGELOG.md', 'examples/cors/app.ts', 'src/cors.ts'].map(
      (path) => piece(path),
    )
    expect(order('how does cors answer a preflight request', pieces, space)[0]).toBe('src/cors.ts')
  })

  it('ranks a test normally if tests are requested', () => {
    const pieces = [piece('src/cors.ts'), piece('src/cors.test.ts', { keyword: 6, coverage: 0.6, closeness: 4 })]
    expect(order('which tests cover the cors preflight', pieces, space)[0]).toBe('src/cors.test.ts')
    expect(order('how does cors answer the preflight', pieces, space)[0]).toBe('src/cors.ts')
  })

  it('prefers the file whose test or document says the words of the question', () => {
    for (const companion of ['src/middleware/csrf/index.test.ts', 'docs/csrf.md', 'tests/test_csrf.py']) {
      const pieces = [
        piece('src/utils/body.ts', { keyword: 5 }),
        piece('src/middleware/csrf/index.ts', { keyword: 4 }),
        piece(companion, { keyword: 8 }),
      ]
      const asked = 'what refuses a forged form of another site'
      expect(order(asked, pieces.slice(0, 2), space)[0]).toBe('src/utils/body.ts')
      expect(order(asked, pieces, space)[0], companion).toBe('src/middleware/csrf/index.ts')
    }
  })

  it('gives a file nothing for a test that the question asks for itself', () => {
    const pieces = [piece('src/app.ts', { keyword: 6 }), piece('src/app.test.ts', { keyword: 8 })]
    const reasons = (text: string) =>
      rankCode(questionOf(text), pieces, { attainable: 20 }, codeWeights(space))[0]?.reasons.companion_words
    expect(reasons('how does it start')?.value).toBeCloseTo(0.25)
    expect(reasons('src/app.test.ts')).toBeUndefined()
    expect(reasons('which tests cover the start')).toBeUndefined()
  })

  it('gives a piece without a path nothing for another one', () => {
    const pieces = [piece('', { kind: 'source', keyword: 6 }), piece('', { kind: 'document', keyword: 8 })]
    const [source] = rankCode(questionOf('how does it start'), pieces, { attainable: 20 }, codeWeights(space))
    expect(source?.reasons.companion_words).toBeUndefined()
  })

  it('ranks the definition of a name before its uses', () => {
    const pieces = [piece('src/app.ts'), piece('src/parse.ts', { symbols: ['Parser.parseBody'], keyword: 4.5 })]
    expect(order('parseBody', pieces, space)[0]).toBe('src/parse.ts')
    expect(order('where does parse_body read the form', pieces, space)[0]).toBe('src/parse.ts')
  })

  it('puts the file first whose name abbreviates the words of the question', () => {
    const other = piece('src/adapter/websocket.ts', { keyword: 8, closeness: 4 })
    const sse = (body: string) => piece('src/helper/streaming/sse.ts', { body })
    const first = (body: string) => order('How do I send server-sent events?', [other, sse(body)], space)[0]
    expect(first('export const streamSSE = (c) => new SSEStreamingApi(c)')).toBe('src/helper/streaming/sse.ts')
    // Not an initialism: the letters are a word of their own.
    expect(first('export const sse = sum of squared errors')).toBe('src/adapter/websocket.ts')
  })

  it('uses the folder if it gives the file its name', () => {
    const pieces = [piece('src/middleware/etag/index.ts'), piece('src/middleware/cache/index.ts')]
    expect(order('how is an etag computed', pieces, space)[0]).toBe('src/middleware/etag/index.ts')
  })

  it('ranks the file closer to the root first among equal ones', () => {
    const pieces = [piece('src/adapters/node/http/frame.ts'), piece('src/socket.ts')]
    expect(order('how does it keep the connection open', pieces, space)[0]).toBe('src/socket.ts')
  })

  it('ranks a copy after its original, and an older version after the newer one', () => {
    const body = 'export function parse(input: string): Result { return walk(tokenise(input)) } // all of it'
    const pieces = [piece('a/parse.ts', { body }), piece('b/parse.ts', { body })]
    const ranked = rankCode(questionOf('parse the input'), pieces, { attainable: 20 }, codeWeights(space))
    expect(ranked.filter(({ reasons }) => reasons.copy)).toHaveLength(1)
  })

  it('explains every score: the parts sum to it', () => {
    const paths = fc.constantFrom(
      'src/a.ts',
      'src/a.test.ts',
      'docs/a.md',
      'src/b/index.ts',
      '',
      'lib/v3/x.rb',
      'lib/v4/x.rb',
    )
    const pieces = fc.array(
      fc.record({
        path: paths,
        keyword: fc.double({ min: 0, max: 30, noNaN: true }),
        coverage: fc.double({ min: 0, max: 1, noNaN: true }),
        closeness: fc.option(fc.double({ min: -3, max: 12, noNaN: true })),
        symbols: fc.array(fc.constantFrom('parse', 'Client.get', 'x')),
        body: fc.string(),
      }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(pieces, fc.string(), (given, text) => {
        const all = given.map(({ path, ...more }) => piece(path, more))
        for (const { score, reasons } of rankCode(questionOf(text), all, { attainable: 20 }, codeWeights(space))) {
          const sum = Object.values(reasons).reduce((total, { adds }) => total + adds, 0)
          expect(Number.isFinite(score)).toBe(true)
          expect(sum).toBeCloseTo(score, 6)
        }
      }),
    )
  })
})

describe('fuseCode', () => {
  const query = (more = {}) => ({
    attainable: 20,
    terms: 3,
    embeddingCoverage: 1,
    items: 500,
    averageLength: 100,
    question: questionOf('how are cookies signed'),
    weights: codeWeights({ name: 'minilm-l6-256-v1', dimensions: 256 }),
    space: 'minilm-l6-256-v1',
    scale: { level: 0.03, spread: 0.07 },
    furtherPieceLoss: 2,
    ...more,
  })
  const candidate = (item: string, path: string, score: number, coverage: number, cosine: number) => ({
    item,
    path,
    symbols: [],
    body: `body of ${item}`,
    kind: null,
    keyword: { score, coverage, length: 100 },
    cosine,
  })

  it('shows another file before a second piece of the first, in a list', () => {
    const found = [
      candidate('one', 'src/cookie.ts', 12, 0.9, 0.6),
      candidate('two', 'src/cookie.ts', 11.5, 0.9, 0.58),
      candidate('other', 'src/signature.ts', 10, 0.8, 0.55),
    ]
    const items = (loss: number) => fuseCode(found, query({ furtherPieceLoss: loss })).results.map(({ item }) => item)
    expect(items(2)[1]).toBe('other')
    expect(items(0).slice(0, 2)).toEqual(['one', 'two'])
  })

  it('is confident if the question is covered by words and meaning, and not with one stray word', () => {
    const sure = fuseCode([candidate('one', 'src/cookie.ts', 15, 1, 0.65)], query()).answerable
    const stray = fuseCode([candidate('one', 'src/router.ts', 3, 0.2, 0.12)], query()).answerable
    expect(sure).toBeGreaterThan(0.6)
    expect(stray).toBeLessThan(0.2)
    expect(fuseCode([], query()).answerable).toBe(0)
  })

  it('goes by words alone while the scale of the cosines is unknown, and orders by the cosines all the same', () => {
    const high = [0.86, 0.84, 0.82].map((cosine, i) => candidate(String(i), `src/${i}.ts`, 3, 0.2, cosine))
    const unknown = fuseCode(high, query({ scale: null }))
    expect(unknown.answerable).toBeLessThan(0.2)
    expect(unknown.evidence.lists).toBe('words')
    expect(unknown.results.map(({ item }) => item)).toEqual(['0', '1', '2'])
    const wordless = high.map((one) => ({ ...one, keyword: null }))
    expect(fuseCode(wordless, query({ scale: null })).answerable).toBe(0)
    const sure = [candidate('one', 'src/cookie.ts', 18, 1, 0.9)]
    expect(fuseCode(sure, query({ scale: null })).answerable).toBeGreaterThan(0.5)
  })
})

describe('features', () => {
  it('have one weight each, for both kinds of embedder', () => {
    for (const space of SPACES) {
      for (const name of CODE_FEATURES) expect(codeWeights(space).features[name], name).toBeTypeOf('number')
    }
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseMode, modeSignals, SEARCH_MODES } from '../../src/routing/search-mode.ts'

const auto = (query: string) => chooseMode('auto', modeSignals(query, 'not_considered'))

describe('exact terms are searched as typed', () => {
  test.each([
    'getUserName',
    'get_user_name',
    'src/surfaces/rest.ts',
    'src/app.ts:42',
    './scripts/build.sh',
    'E0382',
    'TS2345',
    'ECONNREFUSED',
    'ERR_MODULE_NOT_FOUND',
    'TypeError',
    '0xc0000005',
    'C++',
    '--no-cache',
    '"connection reset by peer"',
    '`npm ci` `--ignore-scripts`',
    'Array.prototype.flatMap()',
    'std::vector',
    '@cloudflare/vitest-plugin',
    'TS2345 src/routing/sql.ts',
  ])('%s', (query) => {
    expect(auto(query)).toMatchObject({ mode: 'keyword', cause: 'exact_terms' })
  })
})

describe('questions and mixtures are searched by words and meaning', () => {
  test.each([
    ['how do we keep two deployments from running at the same time?', 'question'],
    ['what happens to a message that nobody could process', 'question'],
    ['why does getUserName return null', 'mixed'],
    ['reverse proxy timeouts', 'mixed'],
    ['nix', 'mixed'],
    ['Wie richte ich den Proxy ein?', 'question'],
    ['How do I fix "permission denied" in src/worker.ts?', 'mixed'],
  ])('%s', (query, cause) => {
    expect(auto(query)).toMatchObject({ mode: 'hybrid', cause })
  })
})

test('a requested mode is used', () => {
  for (const mode of SEARCH_MODES) {
    expect(chooseMode(mode, modeSignals('getUserName', null))).toMatchObject({ mode, cause: 'requested' })
  }
})

test('a statement that may run is sql', () => {
  expect(chooseMode('auto', modeSignals('SELECT 1', null))).toMatchObject({ mode: 'sql', cause: 'sql_statement' })
})

test('any text gets a decision, with scores between 0 and 1', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (query) => {
      const { mode, scores } = auto(query)
      expect(['keyword', 'hybrid']).toContain(mode)
      for (const score of Object.values(scores)) {
        expect(score).toBeGreaterThanOrEqual(0)
        expect(score).toBeLessThanOrEqual(1)
      }
    }),
  )
})

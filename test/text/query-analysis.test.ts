import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withoutHarnessText } from '../../src/text/client-boilerplate.ts'
import { analyseQuery } from '../../src/text/query-analysis.ts'

const pieces = fc.constantFrom(
  '<system-reminder>',
  '</system-reminder>',
  '<tool_result>',
  '</tool_result>',
  '<div>',
  '</div>',
  '<user_query>',
  '</user_query>',
  '```ts\n',
  '\n```\n',
  '`',
  '"',
  "'",
  '\n',
  'TypeError: x is undefined',
  'src/app.ts:42',
  '<',
  '>',
  '\0',
  '\ud800',
  'how do I',
  '?',
  '東京',
  'getUserName',
)
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
)

describe('withoutHarnessText', () => {
  it.each([
    ['<system-reminder>Use the todo tool</system-reminder>fix my nginx config', 'fix my nginx config'],
    ['update it <tool_result>SELECT * FROM users</tool_result> please', 'update it \n please'],
    ['<environment_details>cwd</environment_details><user_query>why does it fail</user_query>', 'why does it fail'],
    ['<local-command-stdout>ok</local-command-stdout>', ''],
    ['center a <div> in <b>CSS</b>', 'center a <div> in <b>CSS</b>'],
    ['<system-reminder>never closed, so the text stays', 'never closed, so the text stays'],
    ['<function_results><system-reminder>a</system-reminder>b</function_results>c', 'c'],
    ['if a < b and c > d', 'if a < b and c > d'],
  ])('%j', (text, clean) => {
    expect(withoutHarnessText(text).text).toBe(clean)
  })

  it('never adds text, and reports how much it removed', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { removedShare } = withoutHarnessText(text)
        expect(removedShare).toBeGreaterThanOrEqual(0)
        expect(removedShare).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('analyseQuery', () => {
  it('accepts any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const analysis = analyseQuery(text)
        for (const share of ['harnessShare', 'identifierShare', 'codeShare', 'logShare'] as const) {
          expect(analysis.features[share]).toBeGreaterThanOrEqual(0)
          expect(analysis.features[share]).toBeLessThanOrEqual(1)
        }
        expect(analysis.text.isWellFormed()).toBe(true)
        expect(analysis.searchText === '').toBe(analysis.text === '')
      }),
    )
  })

  it('ignores harness text around the request', () => {
    const request = 'Why does src/app.ts:42 throw?'
    const wrapped = `<system-reminder>error: SELECT 1 FROM x</system-reminder>\n<user_query>${request}</user_query>`
    const { features: bare, ...plain } = analyseQuery(request)
    const { features, ...rest } = analyseQuery(wrapped)
    expect(rest).toEqual(plain)
    expect({ ...features, harnessShare: 0 }).toEqual(bare)
  })

  it('finds the parts of a bug report', () => {
    const analysis = analyseQuery(
      [
        'How do I fix "cannot borrow `x` as mutable" in parse_config, called from loadSettings?',
        '```rust',
        'let y = &mut x;',
        '```',
        'error[E0596]: cannot borrow `x` as mutable',
        '2026-01-02 10:00:00 INFO started',
        '  at Object.run (/srv/app/src/main.ts:10:3)',
        "see src/config.rs:17, ./run.sh and '--no-cache'",
      ].join('\n'),
    )
    expect(analysis.code.filter(({ block }) => block)).toEqual([
      { text: 'let y = &mut x;', language: 'rust', block: true },
    ])
    expect(analysis.errors).toContain('error[E0596]: cannot borrow `x` as mutable')
    expect(analysis.errorCodes).toEqual(['E0596'])
    expect(analysis.identifiers).toEqual(expect.arrayContaining(['parse_config', 'loadSettings']))
    expect(analysis.paths).toEqual(
      expect.arrayContaining(['src/config.rs:17', './run.sh', '/srv/app/src/main.ts:10:3']),
    )
    expect(analysis.quoted).toEqual(expect.arrayContaining(['cannot borrow `x` as mutable', '--no-cache']))
    expect(analysis.prose).not.toContain('INFO started')
    expect(analysis.prose).not.toContain('let y')
    expect(analysis.features).toMatchObject({ isQuestion: true, hasError: true })
  })

  it.each([
    ['update my nginx config', false, 'Latin'],
    ['what is a monad', true, 'Latin'],
    ['如何配置数据库？', true, 'Han'],
    ['как настроить базу данных', true, 'Cyrillic'],
    ['كيف أضبط قاعدة البيانات؟', true, 'Arabic'],
    ['🚀', false, null],
    ['', false, null],
  ])('%j: question %s, script %s', (text, question, script) => {
    const analysis = analyseQuery(text)
    expect(analysis.features.isQuestion).toBe(question)
    expect(analysis.script).toBe(script)
  })

  it.each([
    ['<', '<'.repeat(100_000)],
    ['tags', '<system-reminder>'.repeat(6000)],
    ['closed tags', '<tool_result></tool_result>'.repeat(4000)],
    ['backticks', '`'.repeat(100_000)],
    ['fences', '```\n'.repeat(25_000)],
    ['quotes', '"\' '.repeat(33_000)],
    ['slashes', '/a'.repeat(50_000)],
    ['dots', '.'.repeat(100_000)],
    ['words', 'aB_c.'.repeat(20_000)],
    ['spaces', ' '.repeat(100_000)],
    ['at lines', 'at x:\n'.repeat(16_000)],
    ['errors', 'Error'.repeat(20_000)],
  ])('reads 100 kB of %s', (_, text) => {
    expect(analyseQuery(text).searchText.length).toBeLessThanOrEqual(text.length)
  })
})

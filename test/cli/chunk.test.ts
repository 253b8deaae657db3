import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type Chunk, chunkText, cutText } from '../../cli/ingest/chunk.ts'
import { languageOf } from '../../cli/ingest/languages.ts'
import { DEFAULT_SIZES } from '../../cli/ingest/pack.ts'
import { GUIDE, SAMPLES } from './samples.ts'

const chunk = (path: string, text: string): Promise<Chunk[]> => chunkText(text, languageOf(path))

function expectPartition(chunks: readonly Chunk[], text: string): void {
  expect(chunks.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text)
  let reached = 0
  for (const { start, end } of chunks) {
    expect(start).toBe(reached)
    expect(end).toBeGreaterThan(start)
    reached = end
  }
  expect(new Set(chunks.map(({ key }) => key)).size).toBe(chunks.length)
}

function expectLines(chunks: readonly Chunk[], text: string): void {
  const lines = text.split('\n')
  for (const { startLine, endLine, text: body } of chunks) {
    expect(
      lines
        .slice(startLine - 1, endLine)
        .join('\n')
        .trimEnd(),
    ).toBe(body)
  }
}

describe.each(SAMPLES)('chunks of $path', ({ path, text, symbols }) => {
  it('cover the file exactly once, with correct line numbers', async () => {
    const chunks = await chunk(path, text)
    expectPartition(chunks, text)
    expectLines(chunks, text)
  })

  it('stay within the sizes', async () => {
    const chunks = await chunk(path, text)
    for (const { start, end } of chunks) {
      expect(end - start).toBeLessThanOrEqual(DEFAULT_SIZES.maximum)
      expect(end - start).toBeGreaterThanOrEqual(DEFAULT_SIZES.minimum)
    }
  })

  it('name their definitions', async () => {
    const found = (await chunk(path, text)).flatMap((one) => one.symbols)
    expect(found).toEqual(expect.arrayContaining(symbols))
  })

  it('keep their keys and texts when another place is edited', async () => {
    const before = await chunk(path, text)
    for (const [from, to] of [
      ['value 7', 'another value, much longer than the one before it was'],
      ['number 7', 'the seventh of a long row of numbers that grew and grew'],
      ['token 7', 'tk'],
    ] as const) {
      if (!text.includes(from)) continue
      const edited = text.replace(from, to)
      const after = await chunk(path, edited)
      const texts = new Map(after.map((one) => [one.key, one.text]))
      const changed = before.filter((one) => texts.get(one.key) !== one.text)
      expect(changed.length).toBeLessThanOrEqual(3)
      expectPartition(after, edited)
    }
  })

  it('keep all keys when lines are added above', async () => {
    const before = await chunk(path, text)
    const after = await chunk(path, `\n\n${text}`)
    expect(after.map((one) => one.key)).toEqual(before.map((one) => one.key))
  })
})

describe('context and purpose', () => {
  it('a method on its own includes its class, and its own comment as purpose', async () => {
    const sample = SAMPLES[0]
    const chunks = await chunk('store.ts', sample?.text ?? '')
    const put = chunks.find((one) => one.symbols.includes('Store.put'))
    expect(put?.context).toBe('export class Store<T> extends Base')
    const get = chunks.filter((one) => one.symbols.includes('Store.get') && one.text.includes("'k40'"))
    expect(get[0]?.context).toBe('export class Store<T> extends Base\nasync get(key: string): Promise<T | undefined>')
    expect(get[0]?.purpose).toBe('Reads a value by its key.')
  })

  it('decorators and comments stay with what they describe', async () => {
    const java = await chunk('App.java', SAMPLES[5]?.text ?? '')
    const run = java.find((one) => one.text.includes('public void run('))
    expect(run?.text).toContain('/** Starts the application. */\n    @Override\n    public void run(')
    const python = await chunk('models.py', SAMPLES[2]?.text ?? '')
    expect(python.find((one) => one.symbols.includes('User.full_name'))?.text).toContain('@property\n    def full_name')
    expect(python.find((one) => one.text.includes('self.column_50'))?.purpose).toBe('Writes the user to the database.')
  })

  it('a licence, a directive or a divider is not a purpose', async () => {
    for (const comment of ['// Copyright 2020 Somebody', '/* eslint-disable no-console */', '// ======', '// utils']) {
      const [only] = await chunk('a.ts', `${comment}\nexport function f(): void {}\n`)
      expect(only?.purpose).toBeUndefined()
    }
  })
})

describe('a documentation comment', () => {
  const body = `{\n${'  work("with a long enough line of code")\n'.repeat(40)}}\n`

  it.each([
    ['a.js', `/**\n * Parses the request line.\n */\n\nfunction parse(line) ${body}`],
    ['a.ts', `/** Parses the request line. */\n\nexport const parse = (line: string) => ${body}`],
    ['a.c', `/*! Parses the request line. */\n\nint parse(char *line) ${body.replaceAll('")', '");')}`],
    ['a.rs', `/// Parses the request line.\n\npub fn parse(line: &str) ${body.replaceAll('")', '");')}`],
    [
      'A.cs',
      `class A {\n/// <summary>Parses the request line.</summary>\n\npublic void parse(string line) ${body.replaceAll('")', '");')}\n}`,
    ],
  ])('belongs to the code after it across one blank line: %s', async (path, text) => {
    const chunks = await chunk(path, text)
    const of = chunks.find((one) => one.symbols.some((symbol) => symbol.endsWith('parse')))
    expect(of?.text).toContain('Parses the request line.')
    expect(of?.purpose).toContain('Parses the request line.')
  })

  it('stays with the previous chunk if it does not document the following code', async () => {
    const filler = `function first() ${body}\n`
    for (const comment of [
      '/** Parses the request line. */\n\n',
      '// An aside about what is above.\n\n',
      '/** @module parser */\n\n',
      '/** Copyright 2020 Somebody. */\n\n',
      '/* Not documentation at all. */\n\n',
    ].map((text, i) => (i === 0 ? `${text}\n` : text))) {
      const chunks = await chunk('a.js', `${filler}${comment}function parse(line) ${body}`)
      const own = chunks.find((one) => one.symbols.includes('parse'))
      expect(own?.purpose).toBeUndefined()
      expect(own?.text.startsWith('function parse')).toBe(true)
    }
  })
})

describe('a preprocessor branch', () => {
  const definition = (i: number): string =>
    `/* Adds ${i}. */\nstatic int add_${i}(struct state *s) {\n${'  s->total += lookup(s, "a value that takes some room");\n'.repeat(8)}  return ${i};\n}\n\n`
  const many = Array.from({ length: 12 }, (_, i) => definition(i)).join('')

  it.each([
    ['a.c', `#include <a.h>\n#ifdef HAVE_THREADS\n${many}#else\n${definition(99)}#endif\n`],
    ['a.h', `#ifndef A_H\n#define A_H\n#if defined(X) && X > 3\n${many}#endif\n${definition(99)}#endif\n`],
    ['a.cpp', `extern "C" {\n${many}${definition(99)}}\n`],
  ])('is not a scope, and its definitions are named: %s', async (path, text) => {
    const chunks = await chunk(path, text)
    expectPartition(chunks, text)
    expect(chunks.length).toBeGreaterThan(4)
    expect(chunks.filter((one) => one.context !== '')).toEqual([])
    expect(chunks.flatMap((one) => one.symbols)).toEqual(expect.arrayContaining(['add_0', 'add_11', 'add_99']))
    const small = await chunk(
      path,
      `#ifdef A\nint one(void) { return 1; }\n#else\nint two(void) { return 2; }\n#endif\n`,
    )
    expect(small[0]?.symbols).toEqual(['one', 'two'])
  })
})

describe('the budget of parsing', () => {
  it('counts work: a large ordinary file is split along its syntax, however busy the machine is', async () => {
    const text = Array.from(
      { length: 900 },
      (_, i) =>
        `static int fn_${i}(struct state *s, int a, int b) {\n  if (a > b && s->n[${i}] != 0) { s->n[${i}] += a * (b - ${i}); return 1; }\n  return 0;\n}\n`,
    ).join('')
    const times = [10, 10_000_000, 20, 20_000_000]
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => times.shift() ?? 30_000_000)
    const { chunks, cut } = await cutText(text, languageOf('big.c'))
    clock.mockRestore()
    expect(cut).toBeUndefined()
    expect(new Set(chunks.flatMap((one) => one.symbols)).size).toBe(900)
    expect(await chunk('big.c', text)).toEqual(chunks)
  })

  it('ends, and is reported', async () => {
    const text = `${'('.repeat(60_000)}\n${'a<b<'.repeat(400_000)}`
    const { chunks, cut } = await cutText(text, languageOf('deep.cpp'), {
      target: 9_600,
      maximum: 24_000,
      minimum: 1_600,
    })
    expectPartition(chunks, text)
    expect(cut).toBe('budget')
  })
})

describe('Markdown', () => {
  it('is split along headings, with the heading path', async () => {
    const chunks = await chunk('guide.md', GUIDE)
    expectPartition(chunks, GUIDE)
    expectLines(chunks, GUIDE)
    const linux = chunks.filter((one) => one.purpose === 'Guide > Install > Linux')
    expect(linux.length).toBeGreaterThan(1)
    expect(linux.at(-1)?.context).toBe('Guide > Install > Linux')
    expect(chunks.some((one) => one.purpose?.includes('not a heading'))).toBe(false)
    expect(chunks.some((one) => one.purpose?.includes('title: Guide'))).toBe(false)
    expect(chunks.find((one) => one.text.includes('The end.'))?.purpose).toContain('Guide > ')
  })
})

describe('a very long Markdown file', () => {
  it('is split like its parts, whatever looks like a heading', async () => {
    const section = (i: number): string =>
      `## Release ${i}\n\n${'- a change that is told in some words\n'.repeat(30)}\n\`\`\`sh\n# not a heading ${i}\n\`\`\`\n\n`
    const text = `# Notes\n\n${Array.from({ length: 150 }, (_, i) => section(i)).join('')}`
    expect(text.length).toBeGreaterThan(150_000)
    const chunks = await chunk('notes.md', text)
    expectPartition(chunks, text)
    expect(chunks.find((one) => one.text.includes('# not a heading 149'))?.purpose).toBe('Notes > Release 149')
    expect(chunks.some((one) => one.purpose?.includes('not a heading'))).toBe(false)
  })
})

describe('text without a grammar', () => {
  it('is split at blank lines, and definitions are found by keyword', async () => {
    const text = Array.from(
      { length: 20 },
      (_, i) =>
        `fun handler${i}(event: Event): Result {\n    val x = ${i}\n\n    return process(event, "a long enough literal", x)\n}\n\n`,
    ).join('')
    const chunks = await chunk('Handlers.kt', text)
    expectPartition(chunks, text)
    expect(chunks.flatMap((one) => one.symbols)).toContain('handler13')
    expect(chunks.every((one) => one.text.startsWith('fun '))).toBe(true)
  })

  it('splits one endless line, but never inside a surrogate pair', async () => {
    const text = '🙂'.repeat(9_000)
    const chunks = await chunk('a.txt', text)
    expectPartition(chunks, text)
    for (const one of chunks) expect(one.text.isWellFormed()).toBe(true)
  })

  it('has no chunks if it is only white space', async () => {
    expect(await chunk('a.ts', ' \n\t\n')).toEqual([])
  })
})

describe('any text in any language', () => {
  const extension = fc.constantFrom(
    'ts',
    'tsx',
    'js',
    'py',
    'go',
    'rs',
    'java',
    'cpp',
    'cs',
    'php',
    'rb',
    'sh',
    'ps1',
    'css',
    'md',
    'yaml',
    'txt',
  )
  const piece = fc.oneof(
    fc.constantFrom(
      '{',
      '}',
      '\n',
      '\n\n',
      '  ',
      'class A ',
      'def f():',
      'function g() {',
      '/* ',
      '*/',
      '// x\n',
      '# h\n',
      '"""',
      '`',
      ';',
      '(',
      ')',
      '- a\n',
      '@d ',
      'x = 1\n',
      '🙂',
      'é',
    ),
    fc.string({ unit: 'grapheme', maxLength: 30 }),
  )
  it('is covered exactly once, with distinct keys', async () => {
    await fc.assert(
      fc.asyncProperty(
        extension,
        fc.array(piece, { maxLength: 400 }),
        fc.integer({ min: 1, max: 20 }),
        async (ending, pieces, times) => {
          const text = pieces.join('').replace(/\r\n?/g, '\n').repeat(times)
          const chunks = await chunk(`a.${ending}`, text)
          if (text.trim() === '') expect(chunks).toEqual([])
          else expectPartition(chunks, text)
          for (const one of chunks) expect(one.end - one.start).toBeLessThanOrEqual(DEFAULT_SIZES.maximum)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('is covered exactly once when a sample is truncated or torn', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...SAMPLES), fc.nat(6_000), fc.nat(400), async ({ path, text }, at, length) => {
        const torn = (text.slice(0, at) + text.slice(at + length)).toWellFormed()
        if (torn.trim() !== '') expectPartition(await chunk(path, torn), torn)
      }),
      { numRuns: 100 },
    )
  })
})

describe('keys', () => {
  const functionOf = (name: number, lines: number, edited = false): string =>
    `/** Does thing ${name}. */\nexport function thing${name}(): void {\n${edited ? '  edited()\n' : ''}${`  step(${name}, 'some words')\n`.repeat(lines)}}\n\n`

  it('of other chunks survive any edit of one function', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 20, maxLength: 80 }),
        fc.nat(),
        fc.integer({ min: 0, max: 60 }),
        async (sizes, pick, newSize) => {
          const target = pick % sizes.length
          const write = (edit: boolean): string =>
            sizes
              .map((lines, i) => functionOf(i, edit && i === target ? newSize : lines, edit && i === target))
              .join('')
          const [before, after] = await Promise.all([chunk('a.ts', write(false)), chunk('a.ts', write(true))])
          const kept = new Map(after.map((one) => [one.key, one.text]))
          const changed = before.filter((one) => kept.get(one.key) !== one.text)
          // The chunk of the function and its neighbours, if they can now be joined or no longer can.
          expect(changed.length).toBeLessThanOrEqual(5)
        },
      ),
      { numRuns: 60 },
    )
  })
})

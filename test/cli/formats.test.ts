import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { condenseJson, condenseSql } from '../../cli/ingest/condense.ts'
import { htmlToMarkdown, notebookText, renderDocument, renderText } from '../../cli/ingest/formats.ts'
import { makeDocx, makePdf } from './office.ts'

describe('a notebook', () => {
  const cell = (cell_type: string, source: string | string[], outputs: unknown[] = []) => ({
    cell_type,
    source,
    outputs,
  })

  it('is its text, code and printed output, without pictures', async () => {
    const notebook = JSON.stringify({
      metadata: { language_info: { name: 'julia' } },
      cells: [
        cell('markdown', ['# Masks\n', 'How to count.']),
        cell('code', 'count(x .> 3)', [
          { output_type: 'stream', text: ['12\n'] },
          { output_type: 'display_data', data: { 'image/png': 'iVBORw0KGgo', 'text/plain': ['<Figure>'] } },
          { output_type: 'error', ename: 'KeyError', evalue: 'rainfall' },
        ]),
        cell('code', ''),
        cell('code', 'print("```")', [{ text: 'y'.repeat(5_000) }]),
      ],
    })
    const rendered = await renderText('a.ipynb', notebook)
    expect(rendered?.language).toMatchObject({ name: 'jupyter', strategy: 'markdown' })
    expect(rendered?.text).toContain('# Masks\nHow to count.\n\n```julia\ncount(x .> 3)\n```\n\n```text\n12\n```')
    expect(rendered?.text).toContain('KeyError: rainfall')
    expect(rendered?.text).toContain('````julia\nprint("```")\n````')
    expect(rendered?.text).not.toContain('iVBOR')
    expect(rendered?.text.length).toBeLessThan(2_500)
  })

  it('of the old form is read, too; what is no notebook is not', () => {
    expect(notebookText(JSON.stringify({ worksheets: [{ cells: [{ cell_type: 'code', input: ['x = 1'] }] }] }))).toBe(
      '```python\nx = 1\n```',
    )
    expect(notebookText('{"a": 1}')).toBeUndefined()
    expect(notebookText('not JSON')).toBeUndefined()
  })
})

describe('a page', () => {
  const page = `<!doctype html><html><head><title>T</title><style>p{}</style></head><body><nav><a href="/x">Everywhere</a></nav>
<h1>Settings</h1><p>${'The server reads its settings at start. '.repeat(10)}</p><table><tr><th>Name</th></tr><tr><td>port</td></tr></table>
<pre><code class="language-js">listen(80)</code></pre><script>track()</script></body></html>`

  it('is what a reader sees', async () => {
    const rendered = await renderText('docs/settings.html', page)
    expect(rendered?.text).toMatch(/^# Settings\n\nThe server reads/m)
    expect(rendered?.text).toContain('| port |')
    expect(rendered?.text).toContain('```js\nlisten(80)\n```')
    expect(rendered?.text).not.toMatch(/track|Everywhere|p\{\}/)
  })

  it.each([
    '<!doctype html><html><body><p>{{ user.name }}</p></body></html>'.padEnd(900, ' x'),
    `<!doctype html><html><body><script>${'work();'.repeat(200)}</script><p>Short.</p></body></html>`,
    '<div class="card"><p>A part of a page.</p></div>',
    '<html><body><% for (const x of y) { %><p>x</p><% } %></body></html>'.padEnd(900, ' x'),
  ])('that is a template or a program stays code', async (text) => {
    expect(await renderText('a.html', text)).toBeUndefined()
  })

  it('of any markup is converted', async () => {
    expect(await htmlToMarkdown('<p>a<b>b')).toContain('a**b**')
    expect(await htmlToMarkdown('')).toBe('')
  })
})

describe('documents', () => {
  it('.docx: headings, text, lists', async () => {
    const rendered = await renderDocument(
      'a.docx',
      makeDocx(['Runbook', 'Restart the queue first.', 'Then the workers.']),
    )
    expect(rendered?.text).toContain('# Runbook')
    expect(rendered?.text).toContain('Restart the queue first.\n\nThen the workers.')
    expect(rendered?.language.name).toBe('docx')
  })

  it('.pdf: the text of each page', async () => {
    const rendered = await renderDocument('a.pdf', makePdf(['Incident report of March', 'The disk was full']))
    expect(rendered?.text).toContain('## Page 1\n\nIncident report of March')
    expect(rendered?.text).toContain('## Page 2\n\nThe disk was full')
  })

  it('that can not be read, or hold no text, are not guessed at', async () => {
    expect(await renderDocument('a.pdf', Buffer.from('%PDF-1.4\nbroken'))).toBeUndefined()
    expect(await renderDocument('a.docx', Buffer.from('PK\u0003\u0004broken'))).toBeUndefined()
    expect(await renderDocument('a.pdf', makePdf(['']))).toBeUndefined()
  })
})

describe('large data', () => {
  it('a dump keeps its definitions and the first rows of each table, with true line numbers', () => {
    const rows = (table: string, count: number): string =>
      Array.from({ length: count }, (_, i) => `INSERT INTO ${table} VALUES (${i}, 'name ${i}');\n`).join('')
    const text = `CREATE TABLE a (id int);\n${rows('a', 500)}CREATE TABLE b (id int);\nINSERT INTO b VALUES\n${"(1, 'x'),\n".repeat(300)}(2, 'y');\n\nCOPY c FROM stdin;\n${'1\t2\n'.repeat(100)}\\.\nCREATE INDEX i ON a (id);\n`
    const { text: short, lines, shortened } = condenseSql(text)
    expect(shortened).toBe(true)
    expect(short.length).toBeLessThan(1_500)
    const original = text.split('\n')
    for (const [i, line] of short.split('\n').entries()) {
      if (!line.startsWith('-- …')) expect(original[(lines[i] ?? 0) - 1]).toBe(line)
    }
    for (const kept of [
      'CREATE TABLE a',
      'CREATE TABLE b',
      "'name 4'",
      '-- … 495 more rows',
      'CREATE INDEX i',
      'COPY c',
    ])
      expect(short).toContain(kept)
    const code = 'CREATE FUNCTION f() AS $$\nBEGIN\n  INSERT INTO a VALUES (1);\nEND $$;\n'
    expect(condenseSql(code)).toMatchObject({ text: code, shortened: false })
  })

  it('JSON keeps its structure', () => {
    const value = {
      paths: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`/p${i}`, { get: { summary: `S ${i}` } }])),
    }
    const condensed = condenseJson(JSON.stringify({ ...value, rows: Array.from({ length: 5_000 }, (_, i) => ({ i })) }))
    expect(condensed?.shortened).toBe(true)
    expect(condensed?.text).toContain('"/p299"')
    expect(condensed?.text).toContain('… 4980 more entries')
    expect(condenseJson('{')).toBeUndefined()
  })

  it('a real lock of a package is JSON like any other', async () => {
    const path = createRequire(import.meta.url).resolve('typescript/package.json')
    expect(await renderText('package.json', readFileSync(path, 'utf8'))).toBeUndefined()
  })
})

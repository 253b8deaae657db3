import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../../cli/harness.ts'
import { dashboard, done, supported } from './dashboard-support.ts'

const { state, open } = dashboard()

describe.skipIf(!supported)('knowledge on the dashboard', () => {
  it('searches knowledge, edits an item in its form, endorses it and deletes it', async () => {
    const watched = await open('knowledge/best-practices')
    const { page } = watched
    // Only what has worked is among the best, and only what has failed among the worst.
    await page.waitForSelector('h3:text-is("Best")')
    const counted = (list: string, column: string) =>
      page.locator(`.columns > div:has(h3:text-is("${list}")) td[data-head="${column}"]`).allTextContents()
    expect(await counted('Best', 'Worked')).not.toEqual([])
    for (const cells of [await counted('Best', 'Worked'), await counted('Worst', 'Failed')])
      for (const cell of cells) expect(Number(cell)).toBeGreaterThan(0)
    await page.fill('#field-search-best-practices', 'session cookie')
    await page.click('main button:has-text("Search")')
    await page.click('a:has-text("Session cookies: HttpOnly")')
    await page.waitForSelector('h2:has-text("How it did")')
    const stored = async () => {
      const id = new URL(page.url()).hash.split('/').at(-1)
      const { fields } = await createHttpClient({ url: state.worker.url }).get<{ fields: Record<string, unknown> }>(
        `/knowledge/items/best-practices/${id}?project=demo`,
      )
      return fields
    }
    const before = await stored()
    await page.click('button:has-text("Endorse (0)")')
    await page.waitForSelector('button:has-text("Endorse (1)")')
    await page.fill('#field-category', 'cookies')
    await page.click('summary:has-text("More fields")')
    await page.fill('#field-anti-patterns', 'A cookie without Secure\n\n  A cookie for ever ')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('.toast:has-text("Saved.")')
    expect(await stored()).toEqual({
      ...before,
      category: 'cookies',
      anti_patterns: ['A cookie without Secure', 'A cookie for ever'],
      endorsement_count: 1,
    })
    await page.click('button:has-text("Delete")')
    await page.click('button:has-text("Really delete?")')
    await page.waitForSelector('text=Deleted.')
    await page.waitForSelector('a:has-text("Register middleware before routes")')
    expect(await page.locator('a:has-text("Session cookies: HttpOnly")').count()).toBe(0)
    await done(watched)
  })

  it('accepts notes from Markdown files and pasted ones', async () => {
    const watched = await open('knowledge/best-practices/new', { project: 'notes' })
    const { page } = watched
    const file = (name: string, text: string) => ({ name, mimeType: 'text/markdown', buffer: Buffer.from(text) })
    await page.setInputFiles('#field-markdown-files', [
      file(
        'a.md',
        '---\ncategory: sql\n---\n# Index foreign keys\n\nA join scans.\n\n## Anti-patterns\n\n- All columns\n- None\n',
      ),
      file('use-leases.md', 'A lease ends by the clock.\n\n## Why\n\nHolders die.'),
    ])
    await page.click('button:has-text("Save 2 notes")')
    await page.waitForSelector('.toast:has-text("2 notes are saved")')
    const { items } = await createHttpClient({ url: state.worker.url }).get<{ items: { fields: object }[] }>(
      '/knowledge/items/best-practices?project=notes',
    )
    expect(items.map(({ fields }) => fields)).toEqual(
      expect.arrayContaining([
        { title: 'Index foreign keys', description: 'A join scans.', anti_patterns: ['All columns', 'None'] },
        { title: 'use leases', description: 'A lease ends by the clock.\n\n## Why\n\nHolders die.' },
      ]),
    )
    await done(watched)
  })

  it('lists sources, opens a file in line order, and removes a source with all its data', async () => {
    const http = createHttpClient({ url: state.worker.url })
    const piece = (line: number) => ({
      key: `a.ts#${line}`,
      fields: {
        file_path: 'a.ts',
        code_snippet: `const a${line} = 1`,
        start_line: line,
        end_line: line,
        symbols: [`a${line}`],
      },
    })
    await http.post('/knowledge/documents', {
      project: 'removal',
      source: "odd's source",
      documents: [{ path: 'a.ts', hash: 'h', items: [piece(30), piece(4), piece(12)] }],
    })
    const watched = await open('knowledge', { project: 'removal' })
    const { page } = watched
    await page.click('main table a')
    await page.waitForSelector('.files summary')
    expect(await page.innerText('.copyable code')).toContain("--source 'odd'\\''s source'")
    await page.click('.files summary')
    await page.waitForSelector('.files tbody tr')
    expect(await page.locator('.files tbody tr a').allInnerTexts()).toEqual(['4–4', '12–12', '30–30'])
    await page.click('button:has-text("Remove this source")')
    await page.click('button:has-text("Really delete?")')
    await page.waitForSelector('.toast:has-text("1 files")')
    expect(await http.get('/knowledge/items/codebase-context?project=removal')).toMatchObject({ items: [] })
    await done(watched)
  })
})

import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../../cli/harness.ts'
import { dashboard, done, figures, supported } from './dashboard-support.ts'

const { state, open } = dashboard()

describe.skipIf(!supported)('actions on the dashboard', () => {
  it('tries a question: readable passages, the reason for each, the prompt, and a link to it', async () => {
    const watched = await open('try-it')
    const { page } = watched
    await page.fill('#query', 'Which flags does a session cookie need?')
    await page.click('summary:has-text("Options")')
    await page.uncheck('input[value="codebase-context"]')
    await page.selectOption('#field-search', 'hybrid')
    await page.fill('#field-token-budget', '500')
    await page.click('button.primary')
    await page.waitForSelector('#result .card')
    const text = await page.innerText('#result')
    expect(text).toMatch(/of 500 tokens/)
    expect(text).toContain('Session cookies: HttpOnly, Secure, SameSite')
    expect(text).toMatch(/matches \d+ % of the keywords/)
    expect(text).toContain('Search: hybrid')
    await page.click('text=The prompt as the model gets it')
    expect(await page.innerText('pre.prompt')).toContain('<context')
    expect(new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('q')).toBe(
      'Which flags does a session cookie need?',
    )
    await done(watched)
  })

  it('numbers the lines of code as in the file', async () => {
    const watched = await open('try-it?q=getSignedCookie')
    await watched.page.waitForSelector('#result .passage')
    const caption = await watched.page.locator('#result .passage figcaption a').first().innerText()
    const number = await watched.page.locator('#result .passage .number').first().innerText()
    expect(number.trim()).toBe(/:(\d+)/.exec(caption)?.[1])
    await done(watched)
  })

  it('shows the nearest results if there is no context, lowers the threshold, and lets the user write the answer', async () => {
    const watched = await open('try-it')
    const { page } = watched
    const question = 'How is sourdough bread baked in a cookie oven?'
    await page.fill('#query', question)
    await page.click('button.primary')
    await page.waitForSelector('#result h2:has-text("No context was added")')
    expect(await page.locator('details.near').count()).toBeGreaterThan(0)
    expect(await page.innerText('details.near >> nth=0')).toMatch(/short by \d+ %/)
    await page.fill('#field-threshold', '0')
    await page.click('button:has-text("Ask with this threshold")')
    await page.waitForSelector('#result h2:has-text("What the agent gets")')
    await page.click('button.primary')
    await page.click('a:has-text("Write the answer down")')
    await page.waitForSelector('h1:has-text("Add knowledge")')
    expect(await page.inputValue('#field-title-or-question')).toBe(question)
    await page.fill('#field-text', 'At 240 °C, with steam, for *forty* minutes.')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('.toast:has-text("Saved")')
    await page.goto(`${state.worker.url}/#/try-it?q=${encodeURIComponent(question)}`)
    await page.waitForSelector('#result h2:has-text("What the agent gets")')
    expect(await page.innerText('#result')).toContain('At 240 °C')
    await done(watched)
  })

  it('filters interactions, opens one, and accepts an outcome, a rating and a correction', async () => {
    const watched = await open('interactions')
    const { page } = watched
    const before = await page.locator('tbody tr').count()
    await page.selectOption('#field-outcome', 'failure')
    await expect.poll(() => page.locator('tbody tr').count(), { timeout: 1_800_000 }).toBeLessThan(before)
    const marks = await page.locator('tbody .mark').allInnerTexts()
    expect(new Set(marks)).toEqual(new Set(['failure']))
    expect(new URL(page.url()).hash).toContain('outcome=failure')
    await page.click('tbody tr a')
    await page.waitForSelector('h2:has-text("Prompt as sent")')
    const id = new URL(page.url()).hash.split('/').at(-1) ?? ''
    await page.selectOption('#field-outcome', 'success')
    await page.selectOption('#field-rating', '1')
    await page.click('button:has-text("Report")')
    await page.waitForSelector('.toast.good')
    const [row] = await state.worker.query('SELECT outcome, user_feedback FROM interactions WHERE id = ?', id)
    expect(row).toEqual({ outcome: 'success', user_feedback: 1 })
    expect(await page.innerText('section:has-text("History")')).toContain('rated 1')
    await page.fill('#field-right-answer', 'Set the flag in the middleware.')
    await page.click('button:has-text("Store the correction")')
    await page.waitForSelector('text=Similar questions get it')
    const corrections = await state.worker.query('SELECT correction FROM corrections WHERE interaction_id = ?', id)
    expect(corrections).toContainEqual({ correction: 'Set the flag in the middleware.' })
    await done(watched)
  })

  it('finds interactions by words, sorts them, and rates the rest by keyboard', async () => {
    const http = createHttpClient({ url: state.worker.url })
    const ids: string[] = []
    for (const [i, word] of ['walrus', 'heron', 'walrus otter'].entries()) {
      const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', {
        project: 'queue',
        query: `Where does the ${word} live?`,
        response: 'By the sea.',
        agent_type: 'remote',
        model_used: 'm',
        latency_ms: 10 * (i + 1),
        conversation_id: 'animals',
      })
      ids.push(interaction_id)
    }
    const watched = await open('interactions?text=WALRUS&order=slowest', { project: 'queue' })
    const { page } = watched
    expect(await page.locator('tbody tr a').allInnerTexts()).toEqual([
      'Where does the walrus otter live?',
      'Where does the walrus live?',
    ])
    await page.goto(`${state.worker.url}/#/interactions/conversation/animals`)
    await page.waitForSelector('.thread')
    expect(await page.locator('.thread .said').allInnerTexts()).toEqual([
      'Where does the walrus live?',
      'Where does the heron live?',
      'Where does the walrus otter live?',
    ])
    await page.goto(`${state.worker.url}/#/interactions/rate`)
    await page.waitForSelector('text=1 of 3')
    await page.keyboard.press('1')
    await page.waitForSelector('text=2 of 3')
    await page.keyboard.press('s')
    await page.waitForSelector('text=3 of 3')
    await page.keyboard.press('3')
    await page.waitForSelector('text=Done: 2 of 3 rated')
    const rows = await state.worker.query('SELECT id, outcome FROM interactions WHERE project = ?', 'queue')
    expect(new Map(rows.map(({ id, outcome }) => [id, outcome]))).toEqual(
      new Map([
        [ids[0], 'failure'],
        [ids[1], null],
        [ids[2], 'success'],
      ]),
    )
    await done(watched)
  })

  it('shows the prompt, the passages and the answer of an interaction side by side', async () => {
    const [row] = await state.worker.query(
      "SELECT interaction_id AS id FROM interaction_contexts WHERE collection = 'best-practices' LIMIT 1",
    )
    const watched = await open(`interactions/${row?.id}`)
    const boxes = await watched.page
      .locator('.trace > .card')
      .evaluateAll((cards) => cards.map((card) => card.getBoundingClientRect().top))
    expect(boxes).toHaveLength(3)
    expect(new Set(boxes).size).toBe(1)
    const [interaction] = await state.worker.query('SELECT query, response FROM interactions WHERE id = ?', row?.id)
    const text = await watched.page.innerText('.trace')
    expect(text).toContain(String(interaction?.query))
    expect(text).toContain('tokens of 2,000 added')
    await done(watched)
  })

  it('navigates by Ctrl-K: pages, projects, and search results', async () => {
    const watched = await open('overview')
    const { page } = watched
    await page.keyboard.press('Control+k')
    await page.waitForSelector('dialog[open] input')
    await page.keyboard.type('datas')
    await page.keyboard.press('Enter')
    await page.waitForSelector('main[data-ready="datasets"]')
    await page.keyboard.press('Control+k')
    await page.waitForSelector('dialog[open] input')
    await page.keyboard.type('Register middleware before routes')
    await page.waitForSelector('.palette li:has-text("best-practices")')
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Register middleware before routes")')
    await page.click('#project')
    await page.waitForSelector('.palette li:has-text("demo ✓")')
    expect(await page.innerText('.palette li:has-text("demo ✓")')).toMatch(/\d+ documents, \d+ interactions/)
    await page.keyboard.type('brand-new')
    await page.waitForSelector('.palette li:has-text("new project")')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.innerText('#project-name'), { timeout: 1_800_000 }).toBe('brand-new')
    await page.keyboard.press('Control+k')
    await page.waitForSelector('dialog[open]')
    await page.keyboard.press('Escape')
    expect(await page.locator('dialog[open]').count()).toBe(0)
    await done(watched)
  })

  it('prices tokens with a table that the user edits', async () => {
    const watched = await open('overview')
    const { page } = watched
    const added = Number((await figures(page))['ledger.context_added'])
    await page.click('summary:has-text("Edit prices")')
    await page.fill('input[aria-label="Dollars per million tokens: context"]', '1000')
    await page.keyboard.press('Tab')
    const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 2 })
    await page.waitForSelector(`.tile:has-text("Context added"):has-text("${money.format(added / 1000)}")`)
    await page.reload()
    await page.waitForSelector(`.tile:has-text("Context added"):has-text("${money.format(added / 1000)}")`)
    await done(watched)
  })

  it('explains a measure, and closes the explanation with Escape', async () => {
    const watched = await open('overview')
    const { page } = watched
    await page.click('button[aria-label="What is: Reading saved"]')
    await page.waitForSelector('.tip-text:popover-open:has-text("whole files")')
    await page.keyboard.press('Escape')
    expect(await page.locator('.tip-text:popover-open').count()).toBe(0)
    await done(watched)
  })

  it('creates an export, shows its datasheet and first rows, and downloads it', async () => {
    const watched = await open('datasets')
    const { page } = watched
    await page.selectOption('#field-format', 'sharegpt')
    await page.click('button:has-text("Export now")')
    await page.waitForSelector('.toast')
    await page.waitForSelector('section:has(h2:text-is("First rows")) pre:has-text("conversations")')
    expect(await page.innerText('section:has(h2:text-is("Datasheet"))')).toMatch(/SHA-256\s+[0-9a-f]{64}/)
    const downloaded = page.waitForEvent('download')
    await page.click('tbody tr:has-text("sharegpt") button:has-text("Download")')
    const path = await (await downloaded).path()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    const [row] = await state.worker.query("SELECT rows FROM exports WHERE project = 'demo' AND format = 'sharegpt'")
    expect(lines).toHaveLength(Number(row?.rows))
    expect(JSON.parse(lines[0] ?? '')).toHaveProperty('conversations')
    await done(watched)
  })

  it('compares two variants over time', async () => {
    const http = createHttpClient({ url: state.worker.url })
    for (let i = 0; i < 24; i++) {
      const { interaction_id } = await http.post<{ interaction_id: string }>('/track_interaction', {
        project: 'ab',
        query: `q${i}`,
        response: 'r',
        agent_type: 'remote',
        model_used: 'm',
        variant: i % 2 ? 'tuned' : 'base',
      })
      await http.post('/update_outcome', { interaction_id, outcome: i % 2 || i % 3 ? 'success' : 'failure' })
    }
    const watched = await open('experiments', { project: 'ab' })
    const { page } = watched
    // Both variants are listed and compared without typing a name.
    await page.waitForSelector('h2:has-text("Result")')
    await page.selectOption('#field-variant-a', 'base')
    await page.selectOption('#field-variant-b', 'tuned')
    await page.click('button:has-text("Compare")')
    const { verdict } = await http.post<{ verdict: string }>('/learning/ab_compare', {
      project: 'ab',
      variant_a: 'base',
      variant_b: 'tuned',
    })
    const said: Record<string, string> = {
      not_enough_data: '24 outcomes are too few to tell base and tuned apart.',
      no_difference_shown: 'No difference between base and tuned is shown by 24 outcomes',
      b_better: 'tuned succeeds more often than base, by 33.3 percentage points.',
    }
    await page.waitForSelector(`p.lead:has-text("${said[verdict]}")`)
    await page.click('summary:has-text("Statistics")')
    await page.waitForSelector('dt:has-text("Always-valid interval")')
    const shown = await figures(page)
    expect(Number(shown['experiment.a.success_rate'])).toBeCloseTo(8 / 12, 6)
    expect(Number(shown['experiment.b.success_rate'])).toBe(1)
    expect(Number(shown['variant.base.interactions'])).toBe(12)
    await done(watched)
  })

  it('retries and discards jobs, and pauses background work', async () => {
    await state.worker.query(
      `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, last_error, created_at, updated_at)
       VALUES ('01a00000-0000-7000-8000-000000000001', 'demo', 'score_interaction', 'gone', 7, 'dead', 5, 0, 'internal', 1, 1),
              ('01a00000-0000-7000-8000-000000000002', 'demo', 'score_interaction', 'gone', 8, 'dead', 5, 0, 'internal', 1, 1)`,
    )
    const watched = await open('jobs')
    const { page } = watched
    const failed = page.locator('section:has(h2:text-is("Failed")) tbody tr')
    expect(await failed.count()).toBe(2)
    await failed.first().getByText('Discard').click()
    await page.waitForSelector('text=Discarded.')
    await expect.poll(() => failed.count(), { timeout: 1_800_000 }).toBe(1)
    await failed.first().getByText('Retry').click()
    await page.waitForSelector('text=Retrying.')
    const states = await state.worker.query("SELECT status FROM jobs WHERE subject = 'gone' AND status IN ('dead')")
    expect(states).toEqual([])
    await page.click('button:has-text("Pause all background work")')
    await page.waitForSelector('strong:has-text("Paused.")')
    await page.click('button:has-text("Resume")')
    await page.waitForSelector('text=Background work resumed.')
    await done(watched)
  })

  it('creates a key, shows it once, and revokes it', async () => {
    const watched = await open('settings')
    const { page } = watched
    await page.fill('#field-name', 'from the dashboard')
    await page.click('button:has-text("Create key")')
    const key = await page.innerText('#made-key')
    const asked = () =>
      fetch(`${state.worker.url}/stats?project=demo`, { headers: { 'x-api-key': key } }).then(({ status }) => status)
    expect(await asked()).toBe(200)
    expect(await page.innerText('.note .copyable')).toContain(`--key ${key}`)
    await page.click('button[aria-label="Revoke from the dashboard"]')
    await page.click('button:has-text("Really delete?")')
    await page.waitForSelector('text=from the dashboard is revoked.')
    expect(await asked()).toBe(401)
    await page.reload()
    await page.waitForSelector('text=from the dashboard')
    expect(await page.innerText('body')).not.toContain(key)
    await done(watched)
  })
})

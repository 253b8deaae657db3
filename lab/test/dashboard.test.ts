import { readFile } from 'node:fs/promises'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { walkLoop } from '../../cli/demo.ts'
import { createHttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { openBrowser } from '../screenshots/browser.ts'

/** The dashboard in a real browser, against a real Worker with the demo's data. */

const PAGES = ['overview', 'try-it', 'interactions', 'knowledge', 'experiments', 'datasets', 'jobs', 'settings']
const supported = process.platform === 'linux' && process.arch === 'x64'

let worker: LocalWorker
let browser: Browser

/** What a page did that it must not do. */
interface Watched {
  readonly page: Page
  readonly context: BrowserContext
  readonly faults: string[]
}

beforeAll(async () => {
  if (!supported) return
  worker = await startLocalWorker({ variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' } })
  browser = (await openBrowser()) as Browser
  await walkLoop(worker.url)
  const http = createHttpClient({ url: worker.url })
  // Everything that the demo caused has run, so that no number moves while it is compared.
  for (;;) {
    const { ran } = await http.post<{ ran: number }>('/learning/process', { project: 'demo', limit: 60 })
    if (ran === 0) break
  }
})

afterAll(async () => {
  await browser?.close()
  await worker?.stop()
})

async function open(
  hash: string,
  options: { scheme?: 'light' | 'dark'; width?: number; url?: string } = {},
): Promise<Watched> {
  const url = options.url ?? worker.url
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: 900 },
    colorScheme: options.scheme ?? 'light',
    acceptDownloads: true,
  })
  await context.addInitScript("try { localStorage.setItem('hybrid-coordinator-project', 'demo') } catch {}")
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('request', (request) => {
    const host = new URL(request.url())
    if (host.origin !== url && host.protocol !== 'blob:' && host.protocol !== 'data:')
      faults.push(`asked ${request.url()}`)
  })
  await page.goto(`${url}/#/${hash}`)
  await page.waitForSelector(`main[data-ready="${hash.split('/')[0]}"]`)
  return { page, context, faults }
}

async function done({ context, faults }: Watched): Promise<void> {
  expect(faults).toEqual([])
  await context.close()
}

/** The raw values of the named figures. */
async function figures(page: Page): Promise<Record<string, string>> {
  const found = await page.$$eval('[data-figure]', (elements) =>
    elements.map((element) => [element.getAttribute('data-figure') ?? '', element.getAttribute('data-value') ?? '']),
  )
  return Object.fromEntries(found)
}

describe.skipIf(!supported)('the dashboard', () => {
  it.each(PAGES.flatMap((page) => (['light', 'dark'] as const).map((scheme) => ({ page, scheme }))))(
    'shows $page in $scheme without an error or a finding of axe',
    async ({ page: name, scheme }) => {
      const watched = await open(name, { scheme })
      expect(await watched.page.textContent('h1')).toBeTruthy()
      const { violations } = await new AxeBuilder({ page: watched.page }).analyze()
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`),
      ).toEqual([])
      await done(watched)
    },
  )

  it('fits a phone: nothing but tables scrolls sideways', async () => {
    for (const name of PAGES) {
      const watched = await open(name, { width: 390 })
      expect(await watched.page.evaluate('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(390)
      await done(watched)
    }
  })

  it('shows the numbers that SQL counts', async () => {
    const watched = await open('overview')
    const shown = await figures(watched.page)
    const one = async (sql: string) => Object.values((await worker.query(sql))[0] ?? {})[0] as number | null
    const interactions = "FROM interactions WHERE project = 'demo'"
    const success = `sum(CASE outcome WHEN 'success' THEN 1.0 WHEN 'partial' THEN 0.5 WHEN 'failure' THEN 0 END) / count(outcome)`
    const has = 'EXISTS (SELECT 1 FROM interaction_contexts c WHERE c.interaction_id = interactions.id)'
    const retrievals = "FROM retrievals WHERE project = 'demo' AND NOT control"
    const counted: Record<string, number | null> = {
      'stats.interactions': await one(`SELECT count(*) ${interactions}`),
      'stats.success_rate': await one(`SELECT ${success} ${interactions}`),
      'stats.mean_value_score': await one(`SELECT avg(value_score) ${interactions}`),
      'stats.local_share': await one(`SELECT avg(agent_type = 'local') ${interactions}`),
      'stats.with_context.success_rate': await one(`SELECT ${success} ${interactions} AND ${has}`),
      'stats.without_context.success_rate': await one(`SELECT ${success} ${interactions} AND NOT ${has}`),
      'learning.high_value': await one(`SELECT count(*) ${interactions} AND value_score >= 0.7`),
      'learning.queue_depth': await one(
        "SELECT count(*) FROM jobs WHERE project = 'demo' AND status IN ('pending', 'running')",
      ),
      'learning.dead': await one("SELECT count(*) FROM jobs WHERE project = 'demo' AND status = 'dead'"),
      'learning.unscored': await one(`SELECT count(*) ${interactions} AND outcome IS NOT NULL AND value_score IS NULL`),
      'ledger.context_share': await one(`SELECT avg(tokens_added > 0 AND shown != '[]') ${retrievals}`),
      'ledger.context_added': await one(`SELECT sum(tokens_added) ${retrievals}`),
      'ledger.not_repeated': await one(`SELECT sum(tokens_spared) ${retrievals}`),
      'ledger.whole_items': await one(`SELECT sum(tokens_whole) ${retrievals}`),
      'ledger.top_items_whole': await one(`SELECT sum(tokens_top_whole) ${retrievals} AND shown != '[]'`),
      'ledger.used_remote': await one(`SELECT sum(tokens_used) ${interactions} AND agent_type = 'remote'`),
      'ledger.used_local': await one(`SELECT sum(tokens_used) ${interactions} AND agent_type = 'local'`),
      'knowledge.interaction-history.items': await one(`SELECT count(*) ${interactions}`),
      'knowledge.learning-feedback.items': await one("SELECT count(*) FROM corrections WHERE project = 'demo'"),
    }
    // Collections that D1 doesn't hold are counted by listing them.
    const http = createHttpClient({ url: worker.url })
    for (const name of ['codebase-context', 'skills-patterns', 'error-solutions', 'best-practices']) {
      let items = 0
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: { items: unknown[]; next_cursor: string | null } = await http.get(
          `/knowledge/items/${name}?project=demo&limit=100${cursor ? `&cursor=${cursor}` : ''}`,
        )
        items += page.items.length
        cursor = page.next_cursor
      }
      counted[`knowledge.${name}.items`] = items
    }
    counted['learning.patterns'] = counted['knowledge.skills-patterns.items'] ?? null
    for (const name of Object.keys(shown)) expect(Object.keys(counted), `${name} is compared`).toContain(name)
    for (const [name, value] of Object.entries(counted)) {
      if (value === null) expect(shown[name], name).toMatch(/^(0|unknown)$/)
      else expect(Number(shown[name]), name).toBeCloseTo(value, 6)
    }
    await done(watched)
  })

  it('tries a query: passages with their scores, the prompt, and the route with its signals', async () => {
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
    await done(watched)
  })

  it('filters interactions, opens one, and takes an outcome, a rating and a correction', async () => {
    const watched = await open('interactions')
    const { page } = watched
    const before = await page.locator('tbody tr').count()
    await page.selectOption('#field-outcome', 'failure')
    await expect.poll(() => page.locator('tbody tr').count()).toBeLessThan(before)
    const marks = await page.locator('tbody .mark').allInnerTexts()
    expect(new Set(marks)).toEqual(new Set(['failure']))
    await page.click('tbody tr a')
    await page.waitForSelector('section:has-text("Outcome")')
    const id = new URL(page.url()).hash.split('/').at(-1) ?? ''
    await page.selectOption('#field-outcome', 'success')
    await page.selectOption('#field-rating', '1')
    await page.click('button:has-text("Report")')
    await page.waitForSelector('.toast.good')
    const [row] = await worker.query('SELECT outcome, user_feedback FROM interactions WHERE id = ?', id)
    expect(row).toEqual({ outcome: 'success', user_feedback: 1 })
    expect(await page.innerText('section:has-text("History")')).toContain('rated 1')
    await page.fill('#field-right-answer', 'Set the flag in the middleware.')
    await page.click('button:has-text("Store the correction")')
    await page.waitForSelector('text=Similar questions get it')
    const corrections = await worker.query('SELECT correction FROM corrections WHERE interaction_id = ?', id)
    expect(corrections).toContainEqual({ correction: 'Set the flag in the middleware.' })
    await done(watched)
  })

  it('searches knowledge, changes an item, endorses it and deletes it', async () => {
    const watched = await open('knowledge/best-practices')
    const { page } = watched
    await page.fill('#field-search', 'session cookie')
    await page.click('button:has-text("Search")')
    await page.click('a:has-text("Session cookies: HttpOnly")')
    await page.waitForSelector('#field-fields-as-json')
    await page.click('button:has-text("Endorse")')
    await page.waitForSelector('text=Endorsed.')
    await expect
      .poll(() => page.inputValue('#field-fields-as-json').catch(() => ''))
      .toContain('"endorsement_count": 1')
    await page.fill('#field-fields-as-json', '{ broken')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('.toast.bad:has-text("This is not JSON")')
    await page.click('button:has-text("Delete")')
    await page.click('button:has-text("Really delete?")')
    await page.waitForSelector('text=Deleted.')
    await page.waitForSelector('a:has-text("Register middleware before routes")')
    expect(await page.locator('a:has-text("Session cookies: HttpOnly")').count()).toBe(0)
    await done(watched)
  })

  it('makes an export, shows its datasheet and first rows, and downloads it', async () => {
    const watched = await open('datasets')
    const { page } = watched
    await page.selectOption('#field-format', 'sharegpt')
    await page.click('button:has-text("Export now")')
    await page.waitForSelector('.toast')
    await page.waitForSelector('section:has-text("First rows") pre:has-text("conversations")')
    const downloaded = page.waitForEvent('download')
    await page.click('tbody tr:has-text("sharegpt") button:has-text("Download")')
    const path = await (await downloaded).path()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    const [row] = await worker.query("SELECT rows FROM exports WHERE project = 'demo' AND format = 'sharegpt'")
    expect(lines).toHaveLength(Number(row?.rows))
    expect(JSON.parse(lines[0] ?? '')).toHaveProperty('conversations')
    await done(watched)
  })

  it('shows the numbers that SQL counts of a single interaction, item and dataset', async () => {
    const compare = async (hash: string, counted: Record<string, unknown>) => {
      const watched = await open(hash)
      const shown = await figures(watched.page)
      expect(Object.keys(shown).sort(), hash).toEqual(Object.keys(counted).sort())
      // No tokens were reported: unknown, not zero.
      for (const [name, value] of Object.entries(counted))
        if (value === null || (name === 'interaction.tokens' && value === 0)) expect(shown[name], name).toBe('unknown')
        else expect(Number(shown[name]), name).toBeCloseTo(Number(value), 6)
      await done(watched)
    }
    const [interaction] = await worker.query(
      "SELECT id, tokens_used, value_score FROM interactions WHERE project = 'demo' AND value_score IS NOT NULL ORDER BY id LIMIT 1",
    )
    await compare(`interactions/${interaction?.id}`, {
      'interaction.tokens': interaction?.tokens_used,
      'interaction.value_score': interaction?.value_score,
    })
    const [item] = await worker.query(
      `SELECT c.collection, c.item_id, count(i.outcome) AS uses FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
       WHERE i.project = 'demo' AND c.collection = 'codebase-context' GROUP BY 1, 2 ORDER BY uses DESC, c.item_id LIMIT 1`,
    )
    expect(Number(item?.uses)).toBeGreaterThan(0)
    await compare(`knowledge/${item?.collection}/${item?.item_id}`, { 'item.access_count': item?.uses })
    const exports = await worker.query("SELECT id, rows FROM exports WHERE project = 'demo'")
    expect(exports.length).toBeGreaterThan(0)
    await compare('datasets', Object.fromEntries(exports.map(({ id, rows }) => [`dataset.${id}.rows`, rows])))
  })

  it('compares two variants as they grew', async () => {
    const http = createHttpClient({ url: worker.url })
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
    const watched = await open('experiments')
    const { page } = watched
    await page.fill('#project', 'ab')
    await page.press('#project', 'Enter')
    await page.fill('#field-variant-a', 'base')
    await page.fill('#field-variant-b', 'tuned')
    await page.click('button:has-text("Compare")')
    await page.waitForSelector('dt:has-text("Always-valid interval")')
    const shown = await figures(page)
    expect(Number(shown['experiment.a.success_rate'])).toBeCloseTo(8 / 12, 6)
    expect(Number(shown['experiment.b.success_rate'])).toBe(1)
    expect(await page.locator('canvas').count()).toBe(1)
    await done(watched)
  })

  it('retries and discards jobs, and pauses background work', async () => {
    await worker.query(
      `INSERT INTO jobs (id, project, kind, subject, revision, status, attempts, run_after, last_error, created_at, updated_at)
       VALUES ('01a00000-0000-7000-8000-000000000001', 'demo', 'score_interaction', 'gone', 7, 'dead', 5, 0, 'internal', 1, 1),
              ('01a00000-0000-7000-8000-000000000002', 'demo', 'score_interaction', 'gone', 8, 'dead', 5, 0, 'internal', 1, 1)`,
    )
    const watched = await open('jobs')
    const { page } = watched
    await page.selectOption('#field-status', 'dead')
    await expect.poll(() => page.locator('tbody tr').count()).toBe(2)
    await page.click('tbody tr:first-child button:has-text("Discard")')
    await page.waitForSelector('text=Discarded.')
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1)
    await page.click('tbody tr:first-child button:has-text("Retry")')
    await page.waitForSelector('text=Retrying.')
    const states = await worker.query("SELECT status FROM jobs WHERE subject = 'gone' AND status IN ('dead')")
    expect(states).toEqual([])
    await page.click('button:has-text("Pause all background work")')
    await page.waitForSelector('strong:has-text("Paused.")')
    await page.click('button:has-text("Resume")')
    await page.waitForSelector('text=Background work resumed.')
    await done(watched)
  })

  it('makes a key, shows it once, and revokes it', async () => {
    const watched = await open('settings')
    const { page } = watched
    await page.fill('#field-name', 'from the dashboard')
    await page.click('button:has-text("Make")')
    const key = await page.innerText('#made-key')
    const asked = () =>
      fetch(`${worker.url}/stats?project=demo`, { headers: { 'x-api-key': key } }).then(({ status }) => status)
    expect(await asked()).toBe(200)
    await page.click('button[aria-label="Revoke from the dashboard"]')
    await page.waitForSelector('text=from the dashboard is revoked.')
    expect(await asked()).toBe(401)
    await page.reload()
    await page.waitForSelector('text=from the dashboard')
    expect(await page.innerText('body')).not.toContain(key)
    await done(watched)
  })

  it('asks for a key when one is wanted, and says when it is wrong', async () => {
    const key = 'a-key-of-the-dashboard-test'
    const guarded = await startLocalWorker({
      variables: { HYBRID_API_KEY: key, LLAMA_CPP_BASE_URL: 'http://127.0.0.1:9' },
    })
    try {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(guarded.url)
      await page.fill('#key', 'wrong')
      await page.click('#sign-in button')
      await page.waitForSelector('#sign-in-error:has-text("not known here")')
      await page.fill('#key', key)
      await page.click('#sign-in button')
      await page.waitForSelector('main[data-ready="overview"]')
      // A dependency that is down is shown as such, and everything else goes on.
      const state = page.locator('[data-dependency="local_model"]')
      expect(await state.getAttribute('data-state')).toBe('down')
      expect(await page.innerText('body')).toContain('npm run ingest')
      await context.close()
    } finally {
      await guarded.stop()
    }
  })

  it('can be used with the keyboard alone', async () => {
    const watched = await open('overview')
    const { page } = watched
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content')
    await page.focus('#pages a[data-page="jobs"]')
    await page.keyboard.press('Enter')
    await page.waitForSelector('main[data-ready="jobs"]')
    await done(watched)
  })

  it('takes neither the focus nor what was unfolded away when it updates', async () => {
    const watched = await open('overview')
    const { page } = watched
    const before = Number((await figures(page))['stats.interactions'])
    await page.click('summary >> nth=0')
    await page.focus('main a[href="#/knowledge/best-practices"]')
    await createHttpClient({ url: worker.url }).post('/track_interaction', {
      project: 'demo',
      query: 'focus',
      response: 'r',
      agent_type: 'remote',
      model_used: 'm',
    })
    await expect
      .poll(async () => Number((await figures(page))['stats.interactions']), { timeout: 120_000 })
      .toBe(before + 1)
    expect(await page.evaluate('document.activeElement.getAttribute("href")')).toBe('#/knowledge/best-practices')
    expect(await page.evaluate('document.querySelector("main details").open')).toBe(true)
    await done(watched)
  })

  it('updates by itself', async () => {
    const watched = await open('overview')
    const { page } = watched
    const before = Number((await figures(page))['stats.interactions'])
    await createHttpClient({ url: worker.url }).post('/track_interaction', {
      project: 'demo',
      query: 'live',
      response: 'r',
      agent_type: 'remote',
      model_used: 'm',
    })
    await expect
      .poll(async () => Number((await figures(page))['stats.interactions']), { timeout: 120_000 })
      .toBe(before + 1)
    await done(watched)
  })
})

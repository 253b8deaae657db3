import { AxeBuilder } from '@axe-core/playwright'
import { describe, expect, it } from 'vitest'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { dashboard, done, figures, PAGES, supported } from './dashboard-support.ts'

const { state, open } = dashboard()

describe.skipIf(!supported)('the dashboard', () => {
  it.each(
    PAGES.flatMap((page) =>
      (['light', 'dark'] as const).flatMap((scheme) =>
        ['demo', 'nobody'].map((project) => ({ page, scheme, project })),
      ),
    ),
  )(
    'shows $page of $project in $scheme without an error or an axe finding',
    async ({ page: name, scheme, project }) => {
      const watched = await open(name, { scheme, project })
      expect(await watched.page.textContent('h1')).toBeTruthy()
      const { violations } = await new AxeBuilder({ page: watched.page }).analyze()
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`),
      ).toEqual([])
      await done(watched)
    },
  )

  it.each([
    'try-it?q=Which+flags+does+a+session+cookie+need',
    'try-it?q=How+is+bread+baked',
    'interactions/rate',
    'knowledge/best-practices/new/Why',
    'knowledge/sources/codebase-context/hono',
    'knowledge/best-practices',
  ])('shows %s without an error or an axe finding', async (hash) => {
    const watched = await open(hash)
    if (hash.startsWith('try-it')) await watched.page.waitForSelector('#result .card')
    const { violations } = await new AxeBuilder({ page: watched.page }).analyze()
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`),
    ).toEqual([])
    await done(watched)
  })

  it.each(['overview/%E0%A4%A', 'interactions/%', 'knowledge/%E0%A4%A'])(
    'is not blank at the malformed address #/%s',
    async (hash) => {
      const watched = await open(hash)
      expect(await watched.page.textContent('h1')).toBeTruthy()
      await watched.page.close()
    },
  )

  it('fits a phone without horizontal scrolling', async () => {
    for (const name of [...PAGES, 'knowledge/sources/codebase-context/hono', 'try-it?q=session+cookie']) {
      const watched = await open(name, { width: 390 })
      expect(await watched.page.evaluate('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(390)
      await done(watched)
    }
  })

  it('shows the same numbers as SQL counts', async () => {
    const watched = await open('overview')
    const shown = await figures(watched.page)
    const one = async (sql: string) => Object.values((await state.worker.query(sql))[0] ?? {})[0] as number | null
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
      'ledger.without_context': await one(`SELECT sum(NOT (tokens_added > 0 AND shown != '[]')) ${retrievals}`),
      'ledger.reading_saved': await one(
        `SELECT sum(tokens_documents) - sum(tokens_added) ${retrievals} AND tokens_documents IS NOT NULL`,
      ),
      'ledger.whole_documents': await one(`SELECT sum(tokens_documents) ${retrievals}`),
      'ledger.context_added_priced': await one(`SELECT sum(tokens_added) ${retrievals}`),
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
    // Collections that are not in D1 are counted by listing them.
    const http = createHttpClient({ url: state.worker.url })
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

  it('shows the same numbers as SQL counts for a single interaction, item and dataset', async () => {
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
    const [interaction] = await state.worker.query(
      "SELECT id, tokens_used, value_score FROM interactions WHERE project = 'demo' AND value_score IS NOT NULL ORDER BY id LIMIT 1",
    )
    await compare(`interactions/${interaction?.id}`, {
      'interaction.tokens': interaction?.tokens_used,
      'interaction.value_score': interaction?.value_score,
    })
    const [item] = await state.worker.query(
      `SELECT c.collection, c.item_id, count(i.outcome) AS uses FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id
       WHERE i.project = 'demo' AND c.collection = 'codebase-context' GROUP BY 1, 2 ORDER BY uses DESC, c.item_id LIMIT 1`,
    )
    expect(Number(item?.uses)).toBeGreaterThan(0)
    await compare(`knowledge/${item?.collection}/${item?.item_id}`, { 'item.access_count': item?.uses })
    const exports = await state.worker.query("SELECT id, format, rows FROM exports WHERE project = 'demo'")
    expect(exports.length).toBeGreaterThan(0)
    const watched = await open('datasets')
    const { 'preview.rows': preview, ...shown } = await figures(watched.page)
    for (const { id, rows } of exports) expect(Number(shown[`dataset.${id}.rows`])).toBe(rows)
    expect(Object.keys(shown)).toHaveLength(exports.length)
    // A preview counts the rows of the next export: nothing has changed since the last one.
    expect(Number(preview)).toBe(exports.find(({ format }) => format === 'openai-chat')?.rows)
    await done(watched)
    const counted = await state.worker.query(
      "SELECT kind, status, count(*) AS n FROM jobs WHERE project = 'demo' GROUP BY 1, 2",
    )
    const jobs = await open('jobs')
    const shownJobs = await figures(jobs.page)
    for (const { kind, status, n } of counted)
      if (status === 'done') expect(Number(shownJobs[`jobs.${kind}.done`]), String(kind)).toBe(n)
    await done(jobs)
  })

  it('asks for a key if one is needed, and reports a wrong one', async () => {
    const key = 'a-key-of-the-dashboard-test'
    const guarded = await startLocalWorker({
      variables: { HYBRID_API_KEY: key, LLAMA_CPP_BASE_URL: 'http://127.0.0.1:9' },
    })
    try {
      const context = await state.browser.newContext()
      context.setDefaultTimeout(1_800_000)
      const page = await context.newPage()
      await page.goto(guarded.url)
      await page.fill('#key', 'wrong')
      await page.click('#sign-in button')
      await page.waitForSelector('#sign-in-error:has-text("not known here")')
      await page.fill('#key', key)
      await page.click('#sign-in button')
      await page.waitForSelector('main[data-ready="overview"]')
      // A dependency that is down is shown as down, and everything else keeps working.
      const model = page.locator('[data-dependency="local_model"]')
      expect(await model.getAttribute('data-state')).toBe('down')
      expect(await page.innerText('body')).toContain('npm run ingest')
      await context.close()
    } finally {
      await guarded.stop()
    }
  })

  it('can be used with only the keyboard', async () => {
    const watched = await open('overview')
    const { page } = watched
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content')
    await page.focus('#pages a[data-page="jobs"]')
    await page.keyboard.press('Enter')
    await page.waitForSelector('main[data-ready="jobs"]')
    await done(watched)
  })

  it('keeps the focus and unfolded details when it updates', async () => {
    const watched = await open('overview')
    const { page } = watched
    const before = Number((await figures(page))['stats.interactions'])
    await page.click('.more > summary')
    await page.focus('main a[href="#/knowledge/best-practices"]')
    await createHttpClient({ url: state.worker.url }).post('/track_interaction', {
      project: 'demo',
      query: 'focus',
      response: 'r',
      agent_type: 'remote',
      model_used: 'm',
    })
    await expect
      .poll(async () => Number((await figures(page))['stats.interactions']), { timeout: 1_800_000 })
      .toBe(before + 1)
    expect(await page.evaluate('document.activeElement.getAttribute("href")')).toBe('#/knowledge/best-practices')
    expect(await page.evaluate('document.querySelector("main .more").open')).toBe(true)
    await done(watched)
  })

  it('updates automatically', async () => {
    const watched = await open('overview')
    const { page } = watched
    const before = Number((await figures(page))['stats.interactions'])
    await createHttpClient({ url: state.worker.url }).post('/track_interaction', {
      project: 'demo',
      query: 'live',
      response: 'r',
      agent_type: 'remote',
      model_used: 'm',
    })
    await expect
      .poll(async () => Number((await figures(page))['stats.interactions']), { timeout: 1_800_000 })
      .toBe(before + 1)
    await done(watched)
  })
})

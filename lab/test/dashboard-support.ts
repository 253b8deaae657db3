import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { walkLoop } from '../../cli/demo.ts'
import { createHttpClient, type LocalWorker, startLocalWorker } from '../../cli/harness.ts'
import { openBrowser } from '../screenshots/browser.ts'

/** The dashboard in a real browser, against a real Worker with the demo's data. */

export const PAGES = [
  'overview',
  'try-it',
  'interactions',
  'knowledge',
  'experiments',
  'datasets',
  'jobs',
  'settings',
] as const
export const supported = process.platform === 'linux' && process.arch === 'x64'

/** Violations of a page. */
export interface Watched {
  readonly page: Page
  readonly context: BrowserContext
  readonly faults: string[]
}

export interface OpenOptions {
  scheme?: 'light' | 'dark'
  width?: number
  project?: string
}

/** A Worker after the demo and a browser, for all tests of a file. */
export function dashboard() {
  const state = {} as { worker: LocalWorker; browser: Browser }

  beforeAll(async () => {
    if (!supported) return
    state.worker = await startLocalWorker({ variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' } })
    state.browser = (await openBrowser()) as Browser
    await walkLoop(state.worker.url)
    const http = createHttpClient({ url: state.worker.url })
    // All jobs caused by the demo have run, so that no number changes during a comparison.
    for (;;) {
      const { ran } = await http.post<{ ran: number }>('/learning/process', { project: 'demo', limit: 60 })
      if (ran === 0) break
    }
  })

  afterAll(async () => {
    await state.browser?.close()
    await state.worker?.stop()
  })

  async function open(hash: string, options: OpenOptions = {}): Promise<Watched> {
    const { url } = state.worker
    const context = await state.browser.newContext({
      viewport: { width: options.width ?? 1280, height: 900 },
      colorScheme: options.scheme ?? 'light',
      acceptDownloads: true,
    })
    await context.addInitScript(
      `try { localStorage.setItem('hybrid-coordinator-project', '${options.project ?? 'demo'}')
        localStorage.setItem('hybrid-coordinator-project-chosen', 'yes') } catch {}`,
    )
    // Ends what hangs, like the limit of a test. Playwright's own is 30 s.
    context.setDefaultTimeout(1_800_000)
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
    await page.waitForSelector(`main[data-ready="${hash.split(/[/?]/)[0]}"]`)
    return { page, context, faults }
  }

  return { state, open }
}

export async function done({ context, faults }: Watched): Promise<void> {
  expect(faults).toEqual([])
  await context.close()
}

/** The raw values of the named figures. */
export async function figures(page: Page): Promise<Record<string, string>> {
  const found = await page.$$eval('[data-figure]', (elements) =>
    elements.map((element) => [element.getAttribute('data-figure') ?? '', element.getAttribute('data-value') ?? '']),
  )
  return Object.fromEntries(found)
}

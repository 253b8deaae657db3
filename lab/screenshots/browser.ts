/**
 * The browser installed by npm.
 * @module
 */
import type { Browser } from 'playwright-core'

/** Opens headless Chromium; null on platforms without a binary in its package. */
export async function openBrowser(): Promise<Browser | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null
  const [{ default: chromium }, { chromium: playwright }] = await Promise.all([
    import('@sparticuz/chromium'),
    import('playwright-core'),
  ])
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    // The package's default flags are for cloud functions: a single process, which ends with its first context.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
    headless: true,
  })
}

/**
 * The browser that npm installs.
 * @module
 */
import type { Browser } from 'playwright-core'

/** Opens Chromium without a window; null on machines that its package has no binary for. */
export async function openBrowser(): Promise<Browser | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null
  const [{ default: chromium }, { chromium: playwright }] = await Promise.all([
    import('@sparticuz/chromium'),
    import('playwright-core'),
  ])
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    // The package's own flags are for functions in the cloud: in one process, which ends with its first context.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
    headless: true,
  })
}

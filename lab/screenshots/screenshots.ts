/**
 * `npm run --prefix lab screenshots`: takes the screenshots of the README, from the dashboard of a coordinator after
 * the demo.
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { walkLoop } from '../../cli/demo.ts'
import { createHttpClient, startLocalWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { variablesOf } from '../eval/worker.ts'
import { pathGiven } from '../paths.ts'
import { openBrowser } from './browser.ts'

const HELP = `Usage: npm run --prefix lab screenshots -- [options]

Starts a coordinator, walks the demo and takes the pictures of the README (docs/images). Needs Linux on x64, whose Chromium npm
installs with the other packages.

Options
  --to FOLDER   another folder
  --all         every page of the demo and of an empty project, in light and dark, 1440 and 390 pixels wide
  --variable NAME=VALUE
                setting of the local Worker, e.g. EMBEDDER=static; may be repeated
  -h, --help    print this
`

const FOLDER = join(import.meta.dirname, '../../docs/images')
const PAGES = ['overview', 'try-it', 'interactions', 'knowledge', 'experiments', 'datasets', 'jobs', 'settings']
const QUESTION = 'Which flags does a session cookie need?'

/** Sub-pages, named by their parts. */
const INNER = [
  `try-it?q=${encodeURIComponent(QUESTION)}`,
  'try-it?q=How+is+bread+baked',
  'interactions/rate',
  'knowledge/best-practices',
  'knowledge/best-practices/new/Why',
  'knowledge/sources/codebase-context/hono',
]

interface Shot {
  readonly page: string
  readonly scheme: 'light' | 'dark'
  readonly width: number
  /** Default: the demo's project. */
  readonly project?: string
}

/** Runs the command. Exit codes: 0 done, 1 no browser, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      to: { type: 'string' },
      all: { type: 'boolean' },
      variable: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    const browser = await openBrowser()
    if (!browser) {
      process.stderr.write(`${style('red', 'There is no Chromium for this machine among the packages.')}\n`)
      return 1
    }
    const worker = await startLocalWorker({ variables: { HOLD_OUT_SHARE: '0', ...variablesOf(values.variable) } })
    try {
      await walkLoop(worker.url)
      await settled(worker.url)
      const folder = values.to === undefined ? FOLDER : pathGiven(values.to)
      await mkdir(folder, { recursive: true })
      for (const shot of values.all ? allShots() : README_SHOTS) await take(browser, worker.url, shot, folder)
    } finally {
      await browser.close()
      await worker.stop()
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab screenshots --')
  }
}

const README_SHOTS: Shot[] = [
  { page: 'overview', scheme: 'light', width: 1280 },
  { page: 'overview', scheme: 'dark', width: 1280 },
  { page: 'try-it', scheme: 'light', width: 1280 },
]

function allShots(): Shot[] {
  const looks = (['light', 'dark'] as const).flatMap((scheme) => [1440, 390].map((width) => ({ scheme, width })))
  return looks.flatMap((look) => [
    ...[...PAGES, ...INNER].map((page) => ({ page, ...look })),
    ...PAGES.map((page) => ({ page, ...look, project: 'empty' })),
  ])
}

/** Waits for background work before taking screenshots, so that they show its results. */
async function settled(url: string): Promise<void> {
  const http = createHttpClient({ url })
  await http.post('/learning/process', { project: 'demo', limit: 60 })
}

async function take(
  browser: NonNullable<Awaited<ReturnType<typeof openBrowser>>>,
  url: string,
  { page: hash, scheme, width, project = 'demo' }: Shot,
  folder: string,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme })
  await context.addInitScript(
    `localStorage.setItem('hybrid-coordinator-project', '${project}'); localStorage.setItem('hybrid-coordinator-project-chosen', 'yes')`,
  )
  const page = await context.newPage()
  await page.goto(`${url}/#/${hash}`)
  const name = hash.split(/[/?]/)[0] ?? hash
  await page.waitForSelector(`main[data-ready="${name}"]`)
  if (hash === 'try-it' && project === 'demo') {
    await page.fill('#query', QUESTION)
    await page.click('button.primary')
  }
  if (name === 'try-it' && project === 'demo') await page.waitForSelector('#result .card')
  const file = hash.replace(/[^a-z-]+/gi, '-').slice(0, 60)
  const path = join(
    folder,
    `${project === 'demo' ? '' : `${project}-`}${file}-${scheme}${width < 600 ? '-phone' : ''}.png`,
  )
  await page.screenshot({ path, fullPage: width !== 1280 })
  process.stdout.write(`${path}\n`)
  await context.close()
}

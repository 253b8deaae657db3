import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { referencePages } from '../../scripts/reference/reference.ts'

/**
 * The commands of the guides, as users would paste them: every shell or JavaScript block runs against a coordinator
 * started by `npm run dev`, unless a preceding comment states why it can't be run.
 */

const ROOT = join(import.meta.dirname, '../..')
const DOCS = join(ROOT, 'docs')
/** In reading order: later guides use the data of earlier ones. */
const GUIDES = [
  'quick-start',
  'connect',
  'agents',
  'ingest',
  'fine-tune',
  'operate',
  'engines',
  'deploy',
  'oauth',
  'local',
  'recipes',
  'troubleshooting',
]

interface Block {
  language: string
  text: string
  line: number
  /** Why it is not run. */
  excuse: string | null
}

/** The fenced blocks of a Markdown text. */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  for (const match of markdown.matchAll(/(?: *<!-- not run: ([^\n]+?) -->\n)? *```(\w+)\n([\s\S]*?)\n *```/g)) {
    blocks.push({
      excuse: match[1] ?? null,
      language: match[2] ?? '',
      text: match[3] ?? '',
      line: markdown.slice(0, match.index).split('\n').length,
    })
  }
  return blocks
}

const guides = await Promise.all(
  GUIDES.map(async (name) => ({ name, blocks: blocksOf(await readFile(join(DOCS, `${name}.md`), 'utf8')) })),
)

let home: string
let folder: string
let url: string
let server: ChildProcess

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'guides-'))
  folder = join(home, 'clone')
  await mkdir(join(home, 'code'))
  await cp(join(ROOT, 'src/text'), join(home, 'code/my-project'), { recursive: true })
  await cp(join(ROOT, 'src/text'), join(home, 'my-project'), { recursive: true })
  await mkdir(folder)
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  // The development server, as started by `npm run dev`.
  server = spawn('npm', ['run', 'dev', '--', '--port', String(port), '--state', join(home, 'state')], {
    cwd: ROOT,
    env: { ...process.env, INIT_CWD: folder },
    stdio: 'ignore',
    detached: true,
  })
  for (let tries = 0; ; tries++) {
    if (
      await fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return
    if (tries > 240) throw new Error('npm run dev does not answer')
    await sleep(500)
  }
})

afterAll(async () => {
  if (server?.pid) process.kill(-server.pid, 'SIGTERM')
  await rm(home, { recursive: true, force: true })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** Runs a block in the repository's folder with its own home folder. Files that it writes go to a scratch folder. */
function run({ language, text }: Block): Promise<{ code: number | null; output: string }> {
  const pasted = text
    .replaceAll('http://127.0.0.1:8787', url)
    // Packages are already installed and the server is already running. Everything else runs unchanged.
    .replace(/^npm install$|^npm run dev$/gm, 'true')
    .replace(/^npm run /gm, `npm --prefix ${JSON.stringify(ROOT)} run `)
    .replaceAll('integrations/', `${ROOT}/integrations/`)
  const [program, ...parameters] =
    language === 'js'
      ? [process.execPath, '--input-type=module', '-e', pasted]
      : ['bash', '-euo', 'pipefail', '-c', pasted]
  return new Promise((resolve) => {
    const child = spawn(program as string, parameters, {
      cwd: language === 'js' ? ROOT : folder,
      env: { ...process.env, HOME: home, HYBRID_URL: url, XDG_CACHE_HOME: join(home, 'cache') },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        output += data
      })
    }
    child.on('close', (code) => resolve({ code, output }))
  })
}

describe.each(guides)('the guide $name', ({ blocks }) => {
  const runnable = blocks.filter(({ language }) => language === 'sh' || language === 'js')

  it.each(runnable.filter(({ excuse }) => excuse === null))('line $line runs', async (block) => {
    const { code, output } = await run(block)
    expect(code, output).toBe(0)
  })

  it('excuses only blocks with a reason', () => {
    for (const { excuse } of runnable) expect(excuse === null || /^(?:it )?needs? /.test(excuse)).toBe(true)
  })

  it('shows valid JSON', () => {
    for (const { language, text } of blocks) if (language === 'json') expect(() => JSON.parse(text)).not.toThrow()
  })
})

describe('documents', () => {
  it('have an up-to-date reference (npm run check -- reference)', async () => {
    for (const [name, text] of Object.entries(await referencePages())) {
      expect((await readFile(join(DOCS, name), 'utf8')) === text, `docs/${name}`).toBe(true)
    }
  })
})

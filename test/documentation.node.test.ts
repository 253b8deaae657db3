/** What the documents and comments name exists: files, npm scripts of the product and of the lab, links between pages. */
import { existsSync, readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const PAGES = ['*.md', 'docs/**/*.md', 'test/README.md', 'integrations/**/*.md']
/** Names files of the repositories that were asked about. */
const ABOUT_OTHERS = 'docs/twenty-questions.md'
/** Commands in these are examples of other projects' commands. */
const FOREIGN = ['test/integrations/', 'test/fixtures/', 'lab/results/']
const SOURCES = ['{src,cli,lab,scripts,test,public,integrations}/**/*.{ts,mjs,js,html}', '*.toml']

/** A path from the top of the repository, as code. */
const PATH = /`((?:src|lab|test|cli|scripts|docs|public|migrations|integrations)\/[\w./-]+)`/g
/** Written by commands. */
const MADE = /^lab\/(\.cache|results)/

type Place = readonly [path: string, text: string]

async function read(patterns: readonly string[]): Promise<Place[]> {
  const found: Place[] = []
  for await (const path of glob(patterns, {
    cwd: ROOT,
    exclude: (name) => /(^|\/)(node_modules|\.cache)$/.test(name),
  })) {
    found.push([path, readFileSync(join(ROOT, path), 'utf8')])
  }
  return found
}

const scriptsOf = (folder: string) =>
  new Set(Object.keys(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')).scripts as object))

let pages: Place[]
let all: Place[]

beforeAll(async () => {
  pages = await read(PAGES)
  const sources = await read(SOURCES)
  all = [...pages, ...sources.filter(([path]) => !FOREIGN.some((folder) => path.startsWith(folder)))]
  expect(pages.length).toBeGreaterThan(20)
  expect(all.length).toBeGreaterThan(500)
})

describe('what the documents name exists', () => {
  it('npm scripts, in pages and comments', () => {
    const scripts = { product: scriptsOf('.'), lab: scriptsOf('lab') }
    const missing: string[] = []
    for (const [path, text] of all) {
      for (const [command, lab, name = ''] of text.matchAll(
        /npm (--prefix lab )?run (?:--prefix lab )?([a-z][\w:-]*)/g,
      )) {
        const known = lab !== undefined || command.includes('--prefix lab') ? scripts.lab : scripts.product
        if (!known.has(name)) missing.push(`${path}: ${command}`)
      }
    }
    expect(missing).toEqual([])
  })

  it('every command of the lab is a script of its package', () => {
    const named = readFileSync(join(ROOT, 'lab/main.ts'), 'utf8').matchAll(/^ {6}'?([a-z][\w:-]*)'?: \{/gm)
    const commands = [...named].map(([, name = '']) => name)
    expect(commands.length).toBeGreaterThan(30)
    const scripts = scriptsOf('lab')
    expect(commands.filter((name) => !scripts.has(name))).toEqual([])
  })

  it('files and folders', () => {
    const missing: string[] = []
    for (const [path, text] of pages.filter(([page]) => page !== ABOUT_OTHERS)) {
      // Paths in the table of tests begin in its folder.
      const base = path === 'test/README.md' ? 'test' : '.'
      const named = base === 'test' ? /`([\w./-]+\.test\.ts)`/g : PATH
      for (const [, name = ''] of text.matchAll(named)) {
        if (!MADE.test(name) && !existsSync(join(ROOT, base, name))) missing.push(`${path}: ${name}`)
      }
    }
    expect(missing).toEqual([])
  })

  it('pages that are linked to, and their sections', () => {
    const anchorsOf = (text: string) =>
      new Set(
        [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
          heading
            .toLowerCase()
            .replace(/[^\p{L}\p{N}\s_-]/gu, '')
            .trim()
            .replaceAll(' ', '-'),
        ),
      )
    const missing: string[] = []
    for (const [path, text] of pages) {
      for (const [, target = '', anchor] of text.matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)) {
        const file = target === '' ? path : join(dirname(path), target)
        if (!existsSync(join(ROOT, file))) missing.push(`${path}: ${target}`)
        else if (anchor && !anchorsOf(readFileSync(join(ROOT, file), 'utf8')).has(anchor)) {
          missing.push(`${path}: ${target}#${anchor}`)
        }
      }
    }
    expect(missing).toEqual([])
  })
})

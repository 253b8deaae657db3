import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/**
 * The layers of src/, from the top. A module may import from its own layer and from all lower ones. Types count too.
 */
const FLOORS = [
  ['worker'],
  ['build-services', 'warm-up'],
  ['transports'],
  ['operations'],
  ['jobs'],
  ['erasure'],
  ['training-data'],
  ['patterns'],
  ['outcomes'],
  ['routing'],
  ['retrieval'],
  ['archive'],
  ['experiments'],
  ['services'],
  ['conversation'],
  ['ranking'],
  ['database'],
  ['knowledge'],
  ['inference'],
  ['settings', 'log'],
  ['security', 'text'],
  ['metering'],
  ['errors', 'tracing', 'ids', 'statistics', 'hash', 'budget'],
  ['encoding', 'time'],
]
/** Names the bindings of wrangler.toml, including the classes of Durable Objects. Only entry points may use it. */
const ENVIRONMENT = 'env'
const MAY_READ_ENVIRONMENT = new Set(['worker', 'build-services', 'transports'])

const IMPORT = /^(?:import|export)\b[^'"]*?\bfrom '(\.[^']+)'/gm

interface Import {
  readonly from: string
  readonly to: string
}

const roomOf = (path: string) => path.split('/')[0]?.replace(/\.ts$/, '') ?? ''

async function imports(): Promise<Import[]> {
  const found: Import[] = []
  for await (const path of glob('src/**/*.ts', { cwd: ROOT })) {
    const text = readFileSync(join(ROOT, path), 'utf8')
    for (const [, target = ''] of text.matchAll(IMPORT)) {
      found.push({ from: relative('src', path), to: relative('src', normalize(join(dirname(path), target))) })
    }
  }
  return found
}

describe('imports', () => {
  const floorOf = (path: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)))

  it('go down, from layer to layer', async () => {
    const all = await imports()
    expect(all.length).toBeGreaterThan(500)
    const up = all.filter(
      ({ from, to }) => roomOf(from) !== ENVIRONMENT && roomOf(to) !== ENVIRONMENT && floorOf(to) < floorOf(from),
    )
    expect(up).toEqual([])
  })

  it('never go both ways between two folders', async () => {
    const pairs = new Set((await imports()).map(({ from, to }) => `${roomOf(from)} ${roomOf(to)}`))
    const mutual = [...pairs].filter((pair) => {
      const [from, to] = pair.split(' ')
      return from !== to && pairs.has(`${to} ${from}`)
    })
    expect(mutual).toEqual([])
  })

  it('every folder has a layer', async () => {
    const rooms = new Set((await imports()).flatMap(({ from, to }) => [roomOf(from), roomOf(to)]))
    expect([...rooms].filter((room) => room !== ENVIRONMENT && floorOf(room) === -1)).toEqual([])
  })

  it('only entry points import the bindings', async () => {
    const readers = (await imports()).filter(({ to }) => roomOf(to) === ENVIRONMENT).map(({ from }) => roomOf(from))
    expect(readers.filter((room) => !MAY_READ_ENVIRONMENT.has(room))).toEqual([])
  })

  it('never go from one operation to another', async () => {
    const sideways = (await imports()).filter(({ from, to }) => isOperation(from) && isOperation(to))
    expect(sideways).toEqual([])
  })
})

function isOperation(path: string): boolean {
  return roomOf(path) === 'operations' && /= operation\(\{/.test(readFileSync(join(ROOT, 'src', path), 'utf8'))
}

describe('the tables of test/README.md', () => {
  const text = readFileSync(join(ROOT, 'test/README.md'), 'utf8')
  const contentOf = (path: string) => readFileSync(join(ROOT, 'test', path), 'utf8')

  it('name files that exist', () => {
    for (const [, path = ''] of text.matchAll(/`((?:\.\.\/)?[\w./-]+\.ts)`/g))
      expect(() => contentOf(path), path).not.toThrow()
  })

  it('name tests that exist, each by its title', () => {
    const rows = text.slice(text.indexOf('## Reported faults')).matchAll(/^\| ([A-Z]?\d[^|]*) \|[^|]*\| (.*) \|$/gm)
    let titles = 0
    for (const [, report, tests = ''] of rows) {
      for (const [, path = '', named = ''] of tests.matchAll(/`([^`]+\.ts)`: (.*?)(?=; `|$)/g)) {
        const content = contentOf(path)
        // A title may contain a semicolon, so the whole text is tried first.
        for (const title of content.includes(`'${named}'`) ? [named] : named.split('; ')) {
          expect(content.includes(`'${title}'`), `${report}: ${path} has no test "${title}"`).toBe(true)
          titles++
        }
      }
    }
    expect(titles).toBeGreaterThan(45)
  })
})

describe('scripts in Python', () => {
  // Python looks for a module in the folder of the script first.
  it('do not have the name of a package that they import', async () => {
    const shadowing: string[] = []
    for await (const path of glob('lab/**/*.py', { cwd: ROOT, exclude: ['lab/node_modules/**'] })) {
      const text = readFileSync(join(ROOT, path), 'utf8')
      const imported = [...text.matchAll(/^\s*(?:from|import)\s+(\w+)/gm)].map(([, name]) => name)
      if (imported.includes(basename(path, '.py'))) shadowing.push(path)
    }
    expect(shadowing).toEqual([])
  })

  it('keeps no promise between requests, but where waiting for one has a limit', async () => {
    // A cancelled request never settles its promises: whoever waits for one that it left behind would wait for ever.
    const known = new Set([
      // Waits three seconds at most.
      'inference/embedding/cached-embedder.ts: #under',
      // Counts as failed after fifteen seconds.
      'inference/embedding/minilm/loader.ts: #attempt',
      // Of a Durable Object, whose requests share one context.
      'transports/oauth/grants.ts: #queue',
      // Within one response.
      'transports/openai/chat.ts: next',
    ])
    const kept = new Set<string>()
    const KEPT = /(?:\blet |\bconst |(?=#))(#?\w+)(?:: | = new Map<[^>]*)[^=()\n]*Promise<(?!void>\))/g
    for await (const path of glob('src/**/*.ts', { cwd: ROOT })) {
      const text = readFileSync(join(ROOT, path), 'utf8')
      for (const [, name] of text.matchAll(KEPT)) kept.add(`${relative('src', path)}: ${name}`)
    }
    expect([...kept].sort()).toEqual([...known].sort())
  })
})

/**
 * Situations that must not delete anything, tested with a real Worker: a killed run, an empty folder, a worktree, two
 * folders with the same name. Also the time until a saved file is searchable.
 * @module
 */
import { once } from 'node:events'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../../../cli/harness.ts'
import { listDocuments } from '../../../cli/ingest/api.ts'
import { git, runIngest, startIngest } from './command.ts'

/** The stored files before and after an event. */
export interface Scenario {
  readonly name: string
  readonly before: number
  readonly after: number
  readonly expected: number
  readonly said: string
}

const COLLECTION = 'codebase-context'

/**
 * Runs all of them.
 * @param repository a checkout, which is copied
 * @param scratch an empty folder
 */
export async function runScenarios(
  http: HttpClient,
  url: string,
  repository: string,
  scratch: string,
): Promise<Scenario[]> {
  const stored = async (project: string, source: string) =>
    (await listDocuments(http, { project, collection: COLLECTION, source })).size
  const target = (project: string) => ['--url', url, '--project', project]
  const copy = async (name: string) => {
    const folder = join(scratch, name, 'app')
    await mkdir(join(scratch, name), { recursive: true })
    await cp(repository, folder, { recursive: true })
    return folder
  }
  const results: Scenario[] = []

  const whole = await copy('whole')
  const { report } = await runIngest(whole, [...target('whole'), '--source', 'app'])
  // Documents that were already stored when a request is repeated count as unchanged.
  const files = report.files.indexed + report.files.unchanged
  const documents = await stored('whole', 'app')

  const killed = await copy('killed')
  const child = startIngest(killed, [...target('killed'), '--source', 'app'])
  const ended = once(child, 'close')
  while (child.exitCode === null && (await stored('killed', 'app')) === 0) await sleep(20)
  child.kill('SIGKILL')
  await ended
  const partly = await stored('killed', 'app')
  const again = await runIngest(killed, [...target('killed'), '--source', 'app'])
  results.push({
    name: 'killed while it sends, then run again',
    before: partly,
    after: await stored('killed', 'app'),
    expected: documents,
    said: `${again.report.files.unchanged} unchanged, ${again.report.files.indexed} sent`,
  })

  for (const name of await readdir(whole)) await rm(join(whole, name), { recursive: true })
  const empty = await runIngest(whole, [...target('whole'), '--source', 'app'])
  results.push({
    name: 'empty folder',
    before: documents,
    after: await stored('whole', 'app'),
    expected: documents,
    said: `exit ${empty.code}: ${empty.report.failure?.message ?? ''}`,
  })

  const main = await copy('worktree')
  const first = await runIngest(main, target('worktree'))
  const source = first.report.source ?? ''
  const before = await stored('worktree', source)
  const linked = join(scratch, 'elsewhere')
  await git(main, 'worktree', 'add', '-q', '-b', 'topic', linked)
  await writeFile(join(linked, 'only-in-the-worktree.md'), '# Written in a linked worktree\n')
  const second = await runIngest(linked, target('worktree'))
  results.push({
    name: 'linked worktree with one new file',
    before,
    after: await stored('worktree', source),
    expected: before + 1,
    said: `source ${second.report.source === source ? 'the same' : second.report.source}, ${second.report.files.unchanged} unchanged, ${second.report.files.indexed} sent`,
  })

  for (const owner of ['one', 'two']) {
    const folder = join(scratch, owner, 'scaffold')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{ "name": "scaffold" }\n')
    await writeFile(join(folder, 'README.md'), '# Scaffold\n')
    for (const name of ['a', 'b', 'c', 'd'])
      await writeFile(join(folder, `${owner}-${name}.ts`), `export const ${owner}_${name} = 1\n`)
  }
  await runIngest(join(scratch, 'one/scaffold'), target('names'))
  const named = await stored('names', 'scaffold')
  const other = await runIngest(join(scratch, 'two/scaffold'), target('names'))
  results.push({
    name: 'another folder of the same name',
    before: named,
    after: await stored('names', 'scaffold'),
    expected: named,
    said: `exit ${other.code}: ${other.report.failure?.message ?? ''}`,
  })
  if (files !== documents) throw new Error(`${files} files were sent and ${documents} are stored`)
  return results
}

/**
 * Seconds from saving a file until its new text is searchable, with `ingest --watch`.
 * @param folder a checkout, which is modified
 */
export async function timeWatch(http: HttpClient, url: string, folder: string, rounds: number): Promise<number[]> {
  const child = startIngest(folder, ['--url', url, '--project', 'watch', '--source', 'app', '--watch'])
  try {
    const stored = () => listDocuments(http, { project: 'watch', collection: COLLECTION, source: 'app' })
    // Waits for the end of the first run, whose findings are not changes.
    for (let size = -1; ; ) {
      const next = (await stored()).size
      if (next > 0 && next === size) break
      size = next
      await sleep(2_000)
    }
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const word = `quagga${round}zebra${Date.now().toString(36)}`
      const path = join(folder, 'watched.md')
      await writeFile(path, `# Watched\n\nThe word of round ${round} is ${word}.\n`)
      const saved = performance.now()
      for (;;) {
        const { items } = await http.post<{ items: { fields: Record<string, unknown> }[] }>('/search_context', {
          project: 'watch',
          query: word,
          collection: COLLECTION,
          limit: 3,
        })
        if (items.some(({ fields }) => JSON.stringify(fields).includes(word))) break
        await sleep(25)
      }
      times.push((performance.now() - saved) / 1_000)
      await sleep(500)
    }
    return times
  } finally {
    const ended = once(child, 'close')
    child.kill('SIGINT')
    await Promise.race([ended, sleep(10_000)])
    child.kill('SIGKILL')
  }
}

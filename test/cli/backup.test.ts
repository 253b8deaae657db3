import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { create } from 'tar'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backup, restore } from '../../cli/backup.ts'
import { emptyState, lockState } from '../../cli/dev/state.ts'
import { run } from '../../cli/dev.ts'
import { createHttpClient } from '../../cli/shared/http.ts'
import { startLocalWorker } from '../../cli/shared/local-worker.ts'

let folder: string
let state: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backup-'))
  state = join(folder, 'state')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true, force: true })
})

async function checksums(root: string): Promise<Record<string, string>> {
  const sums: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    sums[relative(root, path)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  }
  return sums
}

async function makeState(path: string, content = 'data'): Promise<void> {
  await mkdir(join(path, 'v3/d1'), { recursive: true })
  await writeFile(join(path, 'v3/d1/a.sqlite'), content)
  await writeFile(join(path, 'migrations.sha256'), 'x')
}

describe('backup and restore', () => {
  it('restores all data of a coordinator byte for byte', async () => {
    const question = 'uploads to staging fail with ECONNRESET, what do I change?'
    const first = await startLocalWorker({
      stateFolder: join(state, 'v3'),
      variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' },
    })
    const ask = (url: string) =>
      createHttpClient({ url }).post<{ augmented_prompt: string }>('/augment_query', { project: 'p', query: question })
    const http = createHttpClient({ url: first.url })
    await http.post('/knowledge/items', {
      project: 'p',
      collection: 'error-solutions',
      items: [
        {
          fields: {
            error_message: 'ECONNRESET while uploading to staging',
            solution: 'Set keepAliveTimeout to 55000.',
          },
        },
      ],
    })
    const { interaction_id: id } = await http.post<{ interaction_id: string }>('/track_interaction', {
      project: 'p',
      query: question,
      response: 'Set keepAliveTimeout.',
      agent_type: 'remote',
      model_used: 'm',
    })
    const before = await ask(first.url)
    expect(before.augmented_prompt).toContain('55000')
    await first.stop()
    await writeFile(join(state, 'migrations.sha256'), 'x')

    const sums = await checksums(state)
    expect(Object.keys(sums).length).toBeGreaterThan(3)
    const file = join(folder, 'b.tar.gz')
    await backup(file, state)
    expect(await checksums(state)).toEqual(sums)
    await emptyState(state)
    expect(await readdir(state)).toEqual([])
    await restore(file, state)
    expect(await checksums(state)).toEqual(sums)

    const second = await startLocalWorker({
      stateFolder: join(state, 'v3'),
      variables: { EMBEDDER: 'static', HOLD_OUT_SHARE: '0' },
    })
    try {
      // Delimiter names are random for each prompt.
      const plain = (prompt: string) => prompt.replaceAll(/context-\w+/g, 'context')
      expect(plain((await ask(second.url)).augmented_prompt)).toBe(plain(before.augmented_prompt))
      const found = await createHttpClient({ url: second.url }).get<{ response: string }>(`/interactions/${id}`)
      expect(found.response).toBe('Set keepAliveTimeout.')
    } finally {
      await second.stop()
    }
  })

  it('moves existing data aside', async () => {
    await makeState(state, 'old')
    const file = join(folder, 'b.tar.gz')
    await backup(file, state)
    await writeFile(join(state, 'v3/d1/a.sqlite'), 'new')
    expect(await restore(file, state)).toContain(`${state}.before-`)
    expect(await readFile(join(state, 'v3/d1/a.sqlite'), 'utf8')).toBe('old')
    const aside = (await readdir(folder)).find((name) => name.startsWith('state.before-'))
    expect(await readFile(join(folder, aside as string, 'v3/d1/a.sqlite'), 'utf8')).toBe('new')
    // Into a folder that doesn't exist yet.
    await restore(file, join(folder, 'deep/er/state'))
    expect(await checksums(join(folder, 'deep/er/state'))).toEqual(await checksums(state))
  })

  it('changes nothing if the file is damaged, foreign or missing', async () => {
    await makeState(state, 'old')
    const file = join(folder, 'b.tar.gz')
    await backup(file, state)
    const whole = await readFile(file)
    await writeFile(join(state, 'v3/d1/a.sqlite'), 'new')
    const sums = await checksums(state)
    const bad = join(folder, 'bad.tar.gz')
    const flipped = Buffer.from(whole)
    flipped[Math.floor(whole.length / 2)] = (flipped[Math.floor(whole.length / 2)] ?? 0) ^ 0xff
    for (const content of [whole.subarray(0, whole.length / 2), flipped, Buffer.from('no archive'), Buffer.alloc(0)]) {
      await writeFile(bad, content)
      await expect(restore(bad, state)).rejects.toThrow('nothing was changed')
    }
    // A complete archive whose files don't match its manifest.
    await makeState(join(folder, 'forged'), 'other')
    for (const manifest of [{ 'v3/d1/a.sqlite': 'x', 'migrations.sha256': 'y' }, null]) {
      await rm(join(folder, 'forged/manifest.json'), { force: true })
      if (manifest) await writeFile(join(folder, 'forged/manifest.json'), JSON.stringify(manifest))
      await create({ gzip: true, file: bad, cwd: join(folder, 'forged') }, [
        'v3',
        'migrations.sha256',
        ...(manifest ? ['manifest.json'] : []),
      ])
      await expect(restore(bad, state)).rejects.toThrow('nothing was changed')
    }
    await expect(restore(join(folder, 'none.tar.gz'), state)).rejects.toThrow('does not exist')
    expect(await checksums(state)).toEqual(sums)
    expect((await readdir(folder)).sort()).toEqual(['b.tar.gz', 'bad.tar.gz', 'forged', 'state'])
  })

  it('refuses folders that are in use or not a coordinator’s, and never overwrites a file', async () => {
    const file = join(folder, 'b.tar.gz')
    await expect(backup(file, state)).rejects.toThrow('no data of Hybrid Coordinator')
    await makeState(state)
    await backup(file, state)
    await expect(backup(file, state)).rejects.toThrow('exists; choose another name')
    await expect(backup(join(folder, 'no/b.tar.gz'), state)).rejects.toThrow('does not exist')
    await writeFile(join(folder, 'notes.txt'), 'mine')
    await expect(restore(file, folder)).rejects.toThrow('nothing was changed')
    const lock = await lockState(state, 1)
    let said = ''
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
    expect(await run(['backup', join(folder, 'c.tar.gz'), '--state', state])).toBe(1)
    expect(said).toContain('Stop it there with Ctrl-C first')
    await lock.release()
    expect(await run(['restore'])).toBe(2)
    expect(await run(['backup', 'a', 'b'])).toBe(2)
  })
})

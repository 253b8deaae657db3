import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BootWorld, startAtBoot, startInBackground, stopAtBoot } from '../../cli/dev/background.ts'
import { checkSettings, triggerCrons } from '../../cli/dev/serve.ts'
import { emptyState, lockState, ownershipOf, readInstance } from '../../cli/dev/state.ts'
import { run } from '../../cli/dev.ts'

const ROOT = join(import.meta.dirname, '../..')
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dev-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Runs the command line until it ends. */
function dev(...parameters: string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'cli/main.mjs'), 'dev', ...parameters], {
    encoding: 'utf8',
    env: { ...process.env, INIT_CWD: folder },
  })
  return { code: status, text: stdout + stderr }
}

async function makeState(path: string): Promise<void> {
  await mkdir(join(path, 'v3/d1'), { recursive: true })
  await writeFile(join(path, 'v3/d1/a.sqlite'), 'data')
  await writeFile(join(path, 'migrations.sha256'), 'x')
}

describe('--reset', () => {
  it('deletes nothing in a folder that is not a coordinator’s', async () => {
    await writeFile(join(folder, 'a.txt'), 'hi')
    for (const parameters of [['--reset'], ['--reset', '--yes']]) {
      const { code, text } = dev('--state', folder, ...parameters)
      expect(code).toBe(1)
      expect(text).toContain('contains no data of Hybrid Coordinator; nothing was deleted')
    }
    // One of the two marks alone is not enough.
    await mkdir(join(folder, 'v3'))
    expect(await ownershipOf(folder)).toBe('foreign')
    await expect(emptyState(folder)).rejects.toThrow('nothing was deleted')
    expect((await readdir(folder)).sort()).toEqual(['a.txt', 'v3'])
  })

  it('asks for confirmation, and requires it as an option without a terminal', async () => {
    await makeState(folder)
    const { code, text } = dev('--state', folder, '--reset')
    expect(code).toBe(1)
    expect(text).toContain('Add --yes to confirm')
    expect(await readFile(join(folder, 'v3/d1/a.sqlite'), 'utf8')).toBe('data')
  })

  it('deletes the coordinator’s files, and keeps others in the folder', async () => {
    await makeState(folder)
    await writeFile(join(folder, 'notes.txt'), 'mine')
    await emptyState(folder)
    expect(await readdir(folder)).toEqual(['notes.txt'])
  })

  it('refuses while a coordinator uses the folder', async () => {
    await makeState(folder)
    const lock = await lockState(folder, 1)
    await expect(emptyState(folder)).rejects.toThrow('nothing was deleted')
    await lock.release()
    await emptyState(folder)
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a folder of data', () => {
  it('belongs to one coordinator at a time', async () => {
    const lock = await lockState(folder, 8787)
    await expect(lockState(folder, 8788)).rejects.toThrow('http://127.0.0.1:8787')
    expect(await readInstance(folder)).toMatchObject({ pid: process.pid, port: 8787 })
    await lock.release()
    expect(await readInstance(folder)).toBeNull()
    await (await lockState(folder, 8788)).release()
  })

  it('is free again after a coordinator was killed, whichever process has its id now', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
    const dead = { pid: child.pid, identity: 'long ago', port: 1, startedAt: 0 }
    await writeFile(join(folder, 'lock.json'), JSON.stringify(dead))
    expect(await readInstance(folder)).toBeNull()
    await (await lockState(folder, 2)).release()
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    await writeFile(join(folder, 'lock.json'), JSON.stringify({ ...dead, identity: '' }))
    await (await lockState(folder, 2)).release()
    await writeFile(join(folder, 'lock.json'), '{ half')
    await (await lockState(folder, 2)).release()
  })

  it('must be a folder', async () => {
    await writeFile(join(folder, 'file'), '')
    const { code, text } = dev('--state', 'file')
    expect(code).toBe(1)
    expect(text.trim()).toBe(`${join(folder, 'file')} is a file; --state takes a folder.`)
  })
})

describe('settings', () => {
  it('with which every request would fail are rejected by name before anything starts', async () => {
    await cp(join(ROOT, 'wrangler.toml'), join(folder, 'wrangler.toml'))
    await mkdir(join(folder, 'src'))
    await writeFile(join(folder, 'src/worker.ts'), '')
    await checkSettings(folder)
    for (const [line, name] of [
      ['HYBRID_API_KEY=secret-admin', 'HYBRID_API_KEY'],
      ['RELEVANCE_THRESHOLD=65', 'RELEVANCE_THRESHOLD'],
      ['VALUE_WEIGHTS={"outcome":2}', 'VALUE_WEIGHTS'],
    ] as const) {
      await writeFile(join(folder, '.dev.vars'), `${line}\n`)
      const error = await checkSettings(folder).catch((problem: Error) => problem)
      expect(error).toBeInstanceOf(Error)
      expect((error as Error).message).toContain(name)
      expect((error as Error).message).not.toContain('secret-admin')
    }
  })
})

describe('schedules', () => {
  it('are read from wrangler.toml, and run against the server with their own expression', async () => {
    expect((await checkSettings()).schedules).toContain('* * * * *')
    const called: string[] = []
    const server = createHttpServer((request, response) => {
      called.push(request.url ?? '')
      response.end('ok')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    // With a field for seconds, so that the test doesn't take a minute.
    const crons = triggerCrons(base, ['* * * * * *', '17 3 1 1 *'])
    await expect.poll(() => called.length, { timeout: 1_800_000 }).toBeGreaterThan(0)
    for (const cron of crons) cron.stop()
    expect(new Set(called)).toEqual(new Set(['/cdn-cgi/local/scheduled?cron=*%20*%20*%20*%20*%20*']))
    server.close()
  })
})

describe('start at login', () => {
  const world = (platform: NodeJS.Platform) => {
    const ran: string[] = []
    const machine: BootWorld = {
      platform,
      home: folder,
      run: async (program, parameters) => ran.push([program, ...parameters].join(' ')),
    }
    return { machine, ran }
  }

  it('is a systemd unit', async () => {
    const { machine, ran } = world('linux')
    const path = await startAtBoot('/data/a "b"', 8790, machine)
    const unit = await readFile(path, 'utf8')
    expect(unit).toContain('"dev" "--port" "8790" "--state" "/data/a \\"b\\""')
    expect(ran.at(-1)).toBe('systemctl --user enable hybrid-coordinator.service')
    await stopAtBoot('/data', 8790, machine)
    expect(ran.at(-1)).toBe('systemctl --user disable hybrid-coordinator.service')
    await expect(readFile(path)).rejects.toThrow('ENOENT')
  })

  it('is a launchd agent on a Mac, and a line to copy elsewhere', async () => {
    const path = await startAtBoot('/data/a&b', 8790, world('darwin').machine)
    expect(await readFile(path, 'utf8')).toContain('<string>/data/a&amp;b</string>')
    await expect(startAtBoot('/data', 8790, world('win32').machine)).rejects.toThrow(/dev --port 8790 --state \/data$/)
  })

  it('reports the error of systemd', async () => {
    const { machine } = world('linux')
    const failing: BootWorld = { ...machine, run: () => Promise.reject(new Error('no bus')) }
    await expect(startAtBoot('/data', 8790, failing)).rejects.toThrow('systemctl --user daemon-reload failed: no bus')
  })
})

describe('the command', () => {
  it('explains invalid arguments', async () => {
    for (const parameters of [
      ['--port', '0'],
      ['--port', 'x'],
      ['--port', '99999'],
      ['dance'],
      ['stop', 'now'],
      ['boot'],
      ['stop', '--reset'],
    ])
      expect(await run(parameters)).toBe(2)
    expect(dev('status', '--state', folder).code).toBe(3)
    expect(dev('logs', '--state', folder)).toMatchObject({ code: 1, text: expect.stringContaining('There is no log') })
    expect(dev('stop', '--state', folder)).toMatchObject({
      code: 0,
      text: expect.stringContaining('No coordinator runs'),
    })
  })

  it('leaves nothing running if the coordinator does not answer in time, and shows its output', async () => {
    const state = join(folder, 'state')
    await expect(startInBackground(state, await freePort(), 1500)).rejects.toThrow('did not start')
    expect(await readInstance(state)).toBeNull()
  })

  it('runs a coordinator in the background: one per folder, without output, and stopped with all its child processes', async () => {
    const state = join(folder, 'state')
    const port = String(await freePort())
    const started = dev('start', '--state', state, '--port', port)
    expect(started, started.text).toMatchObject({ code: 0 })
    const url = `http://127.0.0.1:${port}`
    expect(started.text).toContain(`npm run ingest -- <folder> --url ${url}`)
    let ours = 0
    try {
      expect(dev('start', '--state', state, '--port', port).text).toContain('already runs')
      expect(dev('status', '--state', state)).toMatchObject({ code: 0, text: expect.stringContaining('health: ok') })
      expect(dev('--state', state, '--port', String(await freePort()))).toMatchObject({
        code: 1,
        text: expect.stringContaining('already uses'),
      })
      expect(dev('--state', state, '--reset', '--yes')).toMatchObject({
        code: 1,
        text: expect.stringContaining('nothing was deleted'),
      })
      // Another folder with the same port: reported immediately, and nothing is left behind.
      const { group } = JSON.parse(await readFile(join(state, 'lock.json'), 'utf8'))
      ours = group.pid
      expect(processes(ours).length).toBeGreaterThan(1)
      const before = processesOf(folder)
      expect(before).toBeGreaterThan(1)
      expect(dev('--state', join(folder, 'other'), '--port', port)).toMatchObject({
        code: 1,
        text: expect.stringContaining(`Port ${port} is in use`),
      })
      expect(processesOf(folder)).toBe(before)
      for (let request = 0; request < 20; request++) await fetch(`${url}/collections`)
      const log = await readFile(join(state, 'coordinator.log'), 'utf8')
      expect(log.split('\n').length).toBeLessThan(20)
      expect(log.trimEnd().split('\n').at(-1)).toContain('npm run ask')
    } finally {
      const stopped = dev('stop', '--state', state)
      expect(stopped.text).toContain(`Stopped (${url})`)
    }
    expect(dev('status', '--state', state).code).toBe(3)
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    expect(processes(ours)).toEqual([])
    expect((await readdir(state)).sort()).toEqual(['coordinator.log', 'migrations.sha256', 'v3'])
  })
})

/** The running processes of a process group, one line each. */
function processes(group: number): string[] {
  return processLines(['-eo', 'pgid=,args=']).filter((line) => line.startsWith(`${group} `))
}

/** Counts the bundlers and runtimes whose environment contains the folder, to exclude those of other tests. */
function processesOf(folder: string): number {
  return processLines(['axeww', '-o', 'pgid=,args=']).filter(
    (line) => line.includes(`INIT_CWD=${folder}`) && /^\d+ \S*(esbuild|workerd)/.test(line),
  ).length
}

function processLines(parameters: string[]): string[] {
  const { stdout } = spawnSync('ps', parameters, { encoding: 'utf8', maxBuffer: 64 << 20 })
  // A container without an init process never reaps ended processes.
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !line.includes('<defunct>'))
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

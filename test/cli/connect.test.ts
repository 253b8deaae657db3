import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { parse as parseJsonc } from 'jsonc-parser'
import { parse as parseToml } from 'smol-toml'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { CLIENTS } from '../../cli/connect/clients.ts'
import { type Edit, withEdit, withoutEdit } from '../../cli/connect/edits.ts'
import { connectionOf, findClients, run } from '../../cli/connect.ts'

/** The endpoints of a coordinator that `connect` uses. */
const scopes = new Set<string>()
let key: string | undefined
let items = 7
let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const problem = (status: number, code: string, detail: string) => {
      response.statusCode = status
      response.end(JSON.stringify({ status, code, detail }))
    }
    if (key !== undefined && request.headers['x-api-key'] !== key) return problem(401, 'unauthorized', 'no key')
    if (path === '/collections') {
      if (request.url?.includes('a%20b')) return problem(400, 'invalid_input', 'project is not a name.')
      return response.end(JSON.stringify({ collections: [{ items }, { items: 0 }] }))
    }
    if (path === '/track_interaction' || path === '/update_outcome') {
      const scope = path === '/track_interaction' ? 'write' : 'learn'
      return scopes.has(scope)
        ? problem(400, 'invalid_input', 'query is missing.')
        : problem(403, 'forbidden', `lacks ${scope}`)
    }
    if (/^\/mcp(?:\/[\w-]+)?$/.test(path)) return response.end('{"result":{"serverInfo":{}}}')
    return problem(404, 'not_found', 'no such route')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())

let home: string
let folder: string
let env: NodeJS.ProcessEnv
let said = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'connect-'))
  folder = join(home, 'code')
  await mkdir(folder)
  // Folders that every user has.
  for (const name of ['.cache', '.config', '.local/state']) await mkdir(join(home, name), { recursive: true })
  env = { HOME: home, INIT_CWD: folder, PATH: process.env.PATH, HYBRID_URL: url }
  key = undefined
  items = 7
  said = ''
  for (const scope of ['read', 'write', 'learn']) scopes.add(scope)
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(home, { recursive: true, force: true })
})

/** Every file in a folder with its content and mode. */
async function snapshot(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    files[path] = entry.isFile() ? `${(await stat(path)).mode.toString(8)} ${await readFile(path, 'base64')}` : 'folder'
  }
  return files
}

const names = Object.keys(CLIENTS)

describe.each(names)('connect %s', (name) => {
  const client = CLIENTS[name] as (typeof CLIENTS)[string]
  const edits = (more: object = {}) =>
    client.edits(
      connectionOf(name, client.userOnly ? null : folder, env, { url, key, project: 'p', tools: true, ...more }),
    )

  it('writes valid files, reports the number of items, and leaves no trace when removed', async () => {
    const before = await snapshot(home)
    expect(await run([name, '--project', 'p', '--tools'], env), said).toBe(0)
    expect(said).toContain('project p: 7 items')
    for (const { kind, path } of edits()) {
      const text = await readFile(path, 'utf8')
      if (kind === 'json') expect(() => JSON.parse(text)).not.toThrow()
      if (kind === 'toml') expect(() => parseToml(text)).not.toThrow()
      expect(said).toContain(path)
    }
    const once = await snapshot(home)
    expect(await run([name, '--project', 'p', '--tools'], env)).toBe(0)
    expect(await snapshot(home)).toEqual(once)
    // Files left by its hooks in the meantime are removed too.
    const sessions = join(env.XDG_CACHE_HOME ?? join(home, '.cache'), 'hybrid-coordinator', name)
    if (client.automatic === 'hooks') {
      await mkdir(sessions, { recursive: true })
      await writeFile(join(sessions, 'session-s.json'), '{}')
    }
    expect(await run([name, '--remove'], env)).toBe(0)
    expect(await snapshot(home)).toEqual(before)
    expect(await run([name, '--remove'], env)).toBe(0)
    expect(said).toContain('was not connected')
  })

  it('restores existing files byte for byte', async () => {
    for (const { kind, path } of edits()) {
      if (kind === 'file') continue
      await mkdir(dirname(path), { recursive: true })
      const json =
        '// mine\r\n{\r\n\t"model": "x", // why\r\n\t"hooks": { "Stop": [ { "hooks": [ { "type": "command", "command": "say done" } ] } ] },\r\n}'
      await writeFile(path, kind === 'toml' ? 'model = "x"\n\n[mcp_servers.other]\nurl = "http://o"' : json, {
        mode: 0o640,
      })
    }
    const before = await snapshot(home)
    expect(await run([name, '--project', 'p', '--tools'], env), said).toBe(0)
    expect(await run([name, '--project', 'q', '--tools'], env), said).toBe(0)
    for (const { kind, path } of edits()) {
      const text = await readFile(path, 'utf8')
      if (kind === 'json') {
        expect(text).toContain('// why')
        expect(parseJsonc(text)).toMatchObject({ model: 'x' })
        expect(parseJsonc(text).hooks.Stop[0]).toEqual({ hooks: [{ type: 'command', command: 'say done' }] })
      }
      if (kind === 'toml')
        expect(parseToml(text)).toMatchObject({ model: 'x', mcp_servers: { other: { url: 'http://o' } } })
      if (kind !== 'file') expect((await stat(path)).mode & 0o777).toBe(0o640)
    }
    expect(await run([name, '--remove'], env)).toBe(0)
    expect(await snapshot(home)).toEqual(before)
  })

  it('removes only its own part of a file that was changed since', async () => {
    expect(await run([name, '--project', 'p', '--tools'], env)).toBe(0)
    for (const { kind, path } of edits()) {
      const text = await readFile(path, 'utf8')
      if (kind === 'json') await writeFile(path, text.replace('{', '{\n  // added later\n  "later": 1,'))
      if (kind === 'toml') await writeFile(path, `later = 1\n${text}`)
    }
    expect(await run([name, '--remove'], env)).toBe(0)
    for (const { kind, path } of edits()) {
      if (kind === 'json') {
        const text = await readFile(path, 'utf8')
        expect(parseJsonc(text)).toMatchObject({ later: 1 })
        expect(text).not.toContain('hybrid')
        expect(Object.keys(parseJsonc(text)).filter((name) => name !== '$schema')).toEqual(['later'])
      }
      if (kind === 'toml') expect(parseToml(await readFile(path, 'utf8'))).toEqual({ later: 1 })
    }
  })

  it('changes nothing if a file is invalid', async () => {
    const [first] = edits({ tools: false }).filter(({ kind }) => kind === 'json')
    if (!first) return
    await mkdir(dirname(first.path), { recursive: true })
    await writeFile(first.path, '{ broken')
    const before = await snapshot(home)
    expect(await run([name, '--project', 'p'], env)).toBe(1)
    expect(said).toContain(`${first.path} is not a JSON object`)
    expect(await snapshot(home)).toEqual(before)
  })
})

describe('connect', () => {
  it.each<[string, string[], () => unknown, string]>([
    ['no coordinator', ['--url', 'http://127.0.0.1:2'], () => undefined, 'npm run dev'],
    ['no key', [], () => (key = 'k'.repeat(20)), 'needs an API key'],
    ['a wrong key', ['--key', 'wrong'], () => (key = 'k'.repeat(20)), 'refuses this key'],
    ['a key that can not write', [], () => scopes.delete('write'), 'lacks the scope "write"'],
    ['a key that can not learn', [], () => scopes.delete('learn'), 'lacks the scope "learn"'],
    ['no name of a project', ['--project', 'a b c'], () => undefined, 'project is not a name'],
  ])('changes nothing with %s', async (_, parameters, prepare, message) => {
    prepare()
    const before = await snapshot(home)
    for (const name of names) {
      said = ''
      expect(await run([name, ...parameters], env)).toBe(1)
      expect(said).toContain(message)
      expect(said).toContain('Nothing was changed.')
    }
    expect(await snapshot(home)).toEqual(before)
  })

  it('explains invalid arguments and folders', async () => {
    for (const [parameters, message] of [
      [[], 'Choose an agent: claude-code, codex'],
      [['emacs'], 'Choose an agent'],
      [['codex', 'gemini'], 'one agent at a time'],
      [['codex', '--user', '--dir', '.'], 'exclude each other'],
      [['codex', '--dir', 'nope'], 'nope is not a folder'],
      [['codex', '--url', 'x'], '--url must be a URL'],
      [['--remove'], 'Choose an agent'],
    ] as const) {
      said = ''
      expect(await run([...parameters], env)).toBe(2)
      expect(said).toContain(message)
    }
    expect(await readdir(folder)).toEqual([])
  })

  it('explains how to fill an empty project', async () => {
    items = 0
    expect(await run(['cursor', '--project', 'p'], env)).toBe(0)
    expect(said).toContain(`npm run ingest -- <folder> --url ${url} --project p`)
  })

  it("keeps the key out of the folder and of the environment of Claude Code's commands", async () => {
    key = 'k'.repeat(20)
    for (const name of ['claude-code', 'codex', 'gemini', 'opencode']) {
      expect(await run([name, '--key', key], env), said).toBe(0)
    }
    for (const content of Object.values(await snapshot(folder)))
      expect(Buffer.from(content.split(' ')[1] ?? '', 'base64').toString()).not.toContain(key)
    const settings = join(home, '.config/hybrid-coordinator')
    const [file] = await readdir(settings)
    expect((await stat(join(settings, file as string))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(settings, file as string), 'utf8'))).toEqual({
      HYBRID_URL: url,
      HYBRID_PROJECT: 'default',
      HYBRID_API_KEY: key,
    })
  })

  it('refuses to write a key where git would commit it', async () => {
    key = 'k'.repeat(20)
    await promisify(execFile)('git', ['init', '-q', folder])
    expect(await run(['cursor', '--key', key], env)).toBe(1)
    expect(said).toContain('Put .cursor/mcp.json into .gitignore')
    expect((await readdir(folder)).sort()).toEqual(['.git'])
    await writeFile(join(folder, '.gitignore'), '.cursor/mcp.json\n')
    expect(await run(['cursor', '--key', key], env)).toBe(0)
    expect(await readFile(join(folder, '.cursor/mcp.json'), 'utf8')).toContain(key)
  })

  it('removes entries of an earlier version', async () => {
    const path = join(folder, '.claude/settings.local.json')
    await mkdir(dirname(path))
    const group = {
      hooks: [{ type: 'command', command: 'node "/opt/hc/integrations/claude-code/hook.mjs"', timeout: 10 }],
    }
    const other = { hooks: [{ type: 'command', command: 'say done' }] }
    await writeFile(
      path,
      JSON.stringify({
        env: { HYBRID_URL: 'x', HYBRID_API_KEY: 'y', OTHER: '1' },
        hooks: { Stop: [other, group], UserPromptSubmit: [group] },
      }),
    )
    expect(await run(['claude-code'], env)).toBe(0)
    const now = JSON.parse(await readFile(path, 'utf8'))
    expect(now.env).toEqual({ OTHER: '1' })
    expect(now.hooks.Stop).toHaveLength(2)
    expect(now.hooks.UserPromptSubmit).toHaveLength(1)
    expect(await run(['claude-code', '--remove'], env)).toBe(0)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ env: { OTHER: '1' }, hooks: { Stop: [other] } })
  })

  it('follows a symbolic link to its file', async () => {
    await mkdir(join(folder, '.gemini'))
    await writeFile(join(home, 'real.json'), '{}')
    await symlink(join(home, 'real.json'), join(folder, '.gemini/settings.json'))
    expect(await run(['gemini'], env)).toBe(0)
    expect(await readFile(join(home, 'real.json'), 'utf8')).toContain('BeforeAgent')
    expect(await run(['gemini', '--remove'], env)).toBe(0)
    expect(await readFile(join(home, 'real.json'), 'utf8')).toBe('{}')
  })

  it('prints the configuration for unknown agents, bound to the project, and the planned changes', async () => {
    key = 'k'.repeat(20)
    expect(await run(['--print', '--project', 'p', '--key', key], env)).toBe(0)
    expect(JSON.parse(said)).toEqual({
      mcpServers: { 'hybrid-coordinator': { type: 'http', url: `${url}/mcp/p`, headers: { 'X-API-Key': key } } },
    })
    said = ''
    expect(await run(['codex', '--print', '--tools', '--key', key], env)).toBe(0)
    expect(said).toContain(`url = "${url}/mcp"`)
    expect(await readdir(folder)).toEqual([])
  })

  it('finds the agents in use', async () => {
    await mkdir(join(home, '.codex'))
    await mkdir(join(home, 'bin'))
    await writeFile(join(home, 'bin/gemini'), '')
    expect(await findClients({ HOME: home, PATH: join(home, 'bin') })).toEqual(['codex', 'gemini'])
  })
})

describe('edits', () => {
  const json: Edit = {
    kind: 'json',
    path: 'settings.json',
    sets: [{ path: ['mcpServers', 'hybrid-coordinator'], value: { url: 'http://a/mcp' } }],
    appends: [
      {
        path: ['hooks', 'Stop'],
        value: { hooks: [{ command: 'node integrations/hooks/hook.mjs' }] },
        ours: /hook\.mjs/,
      },
    ],
  }
  const settings = fc.dictionary(
    fc.constantFrom('model', 'mcpServers', 'theme', 'a.b', ''),
    fc.oneof(fc.string(), fc.integer(), fc.dictionary(fc.constantFrom('x', 'y'), fc.jsonValue({ maxDepth: 2 }))),
  )

  it('of any settings preserve everything else, are idempotent, and are reverted completely', () => {
    fc.assert(
      fc.property(settings, fc.constantFrom(undefined, 2, '\t'), (made, indent) => {
        // As read from a file: JSON has no -0.
        const value = JSON.parse(JSON.stringify(made))
        fc.pre(typeof value.mcpServers !== 'string' && typeof value.mcpServers !== 'number')
        const text = JSON.stringify(value, null, indent)
        const edited = withEdit(text, json)
        expect(parseJsonc(edited)).toMatchObject({
          ...value,
          mcpServers: { ...(value.mcpServers as object), 'hybrid-coordinator': { url: 'http://a/mcp' } },
        })
        expect(parseJsonc(edited).hooks.Stop).toHaveLength(1)
        expect(parseJsonc(withEdit(edited, json))).toEqual(parseJsonc(edited))
        const { mcpServers, ...others } = value
        const left = parseJsonc(withoutEdit(edited, json))
        expect(left).toEqual(mcpServers !== undefined && Object.keys(mcpServers).length > 0 ? value : others)
      }),
    )
  })

  it('of TOML replace the table and leave its neighbours', () => {
    const edit: Edit = { kind: 'toml', path: 'c', table: 'mcp_servers.hybrid-coordinator', lines: ['url = "http://a"'] }
    const before = 'a = 1\n[mcp_servers.other]\nurl = "o"\n'
    const text = `${before}\n[mcp_servers."hybrid-coordinator"]\nurl = "old"\n[mcp_servers.hybrid-coordinator.env]\nX = "1"\n[z]\nb = 2\n`
    const edited = withEdit(text, edit)
    expect(parseToml(edited)).toEqual({
      a: 1,
      mcp_servers: { other: { url: 'o' }, 'hybrid-coordinator': { url: 'http://a' } },
      z: { b: 2 },
    })
    expect(parseToml(withoutEdit(edited, edit))).toEqual({ a: 1, mcp_servers: { other: { url: 'o' } }, z: { b: 2 } })
    expect(withoutEdit(withEdit(before, edit), edit)).toBe(before)
  })
})

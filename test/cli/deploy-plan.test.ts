import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { deployedConfig, describePlan, planOf } from '../../cli/deploy/plan.ts'
import { dryRun } from '../../cli/deploy.ts'
import { account, CONFIG, MIGRATIONS, PLAN, TOML } from './deploy-account.ts'

const ROOT = join(import.meta.dirname, '../..')

describe('the plan', () => {
  test('lists everything in order', () => {
    expect(PLAN.migrations).toEqual(['0000_a.sql', '0001_b.sql'])
    expect(PLAN.queues).toEqual(['w-jobs-dead', 'w-jobs'])
    expect(PLAN.database.id).toBeNull()
    for (const name of [
      'D1 database w',
      'Queue w-jobs-dead',
      'R2 bucket w-datasets',
      '0001_b.sql',
      'Secret HYBRID_API_KEY',
      'Health check',
    ]) {
      expect(describePlan(PLAN)).toContain(name)
    }
    expect(() => planOf({ name: 'w' }, [])).toThrow('no D1 database')
    expect(() => planOf({}, [])).toThrow('names no Worker')
    expect(() => deployedConfig('name = "w"', PLAN, { database: 'x', kv: null })).toThrow('no D1 database DB')
    expect(() =>
      deployedConfig('name = "w"\n[[d1_databases]]\nbinding = "DB"', PLAN, { database: 'x', kv: 'y' }),
    ).toThrow('KV namespace')
  })

  test('a Worker that does not build fails the dry run', async () => {
    const at = account({ 'deploy --dry-run': 'Could not resolve "./nothing"' })
    expect(await dryRun(PLAN, at.world)).toBe(1)
    expect(at.commands).toEqual(['deploy --dry-run'])
  })

  test('prints the plan of this project, builds the Worker with every binding and changes nothing', async () => {
    // The tools' scratch folders, ignored by git, may appear and disappear while other tests run.
    const listed = async () =>
      (await readdir(ROOT)).filter((name) => !['.wrangler', 'test-results.json'].includes(name))
    const before = await listed()
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'cli/main.ts'), 'deploy', '--dry-run'], {
      cwd: ROOT,
    })
    for (const { name } of (await readdir(join(ROOT, 'migrations'), { withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .slice(-1)) {
      expect(stdout).toContain(name)
    }
    const toml = await readFile(join(ROOT, 'wrangler.toml'), 'utf8')
    for (const [, , name] of toml.matchAll(/^(binding|name) = "([A-Z][A-Z_]+)"$/gm))
      expect(stdout).toContain(`env.${name}`)
    for (const [, name] of toml.matchAll(/^(?:database_name|queue|dead_letter_queue|bucket_name) = "([\w-]+)"$/gm))
      expect(stdout).toContain(name)
    expect(stdout).toContain('Nothing was changed')
    expect(await listed()).toEqual(before)
  })

  test('reports the limits of the account’s plan, and sets them where the plan allows it', () => {
    const ids = { database: 'd', kv: 'k' }
    expect(parse(deployedConfig(TOML, PLAN, ids)).limits).toEqual({ cpu_ms: 300_000 })
    expect(describePlan(PLAN)).toContain('Workers Paid: 5 minutes of CPU')
    const free = planOf(CONFIG, MIGRATIONS, 'w', 'free')
    expect(parse(deployedConfig(TOML, free, ids)).limits).toBeUndefined()
    expect(describePlan(free)).toContain('10 ms of CPU')
    expect(parse(deployedConfig(TOML, free, ids)).vars).toMatchObject({ MINILM_QUERIES: 'table' })
    expect(parse(deployedConfig(TOML, PLAN, ids)).vars).toBeUndefined()
    expect(parse(deployedConfig(`${TOML}[limits]\ncpu_ms = 9\n`, PLAN, ids)).limits).toEqual({ cpu_ms: 9 })
  })
})

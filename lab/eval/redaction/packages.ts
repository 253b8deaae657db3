/**
 * Published packages of npm and PyPI with pinned versions, unpacked into a temporary folder. None of their code is run.
 * @module
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { UsageError } from '../../../cli/shared/args.ts'

const run = promisify(execFile)
/** Number of packages per npm call. */
const BATCH = 10
const MAX_OUTPUT = 64 * 1024 * 1024

/**
 * Downloads and unpacks the packages of a list, one per line: `npm:NAME@VERSION` or `pypi:NAME==VERSION` (its wheel, so
 * that no build runs).
 * @returns the folder, which the caller removes, the number of unpacked packages, and those of PyPI without a wheel for
 *   this machine
 * @throws {UsageError} for a line in another format
 */
export async function unpackPackages(list: string): Promise<{ folder: string; packages: number; missing: string[] }> {
  const lines = (await readFile(list, 'utf8')).split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const npm: string[] = []
  const pypi: string[] = []
  for (const line of lines) {
    const [, registry, spec] = /^(?:(npm):(?=.+@\d)|(pypi):(?=.+==\d))/.test(line) ? line.split(/^(npm|pypi):/) : []
    if (registry === 'npm') npm.push(String(spec))
    else if (registry === 'pypi') pypi.push(String(spec))
    else throw new UsageError(`${list}: "${line}" is neither npm:NAME@VERSION nor pypi:NAME==VERSION`)
  }
  const folder = await mkdtemp(join(tmpdir(), 'redaction-packages-'))
  const archives = join(folder, 'archives')
  await mkdir(archives)
  for (let at = 0; at < npm.length; at += BATCH) {
    await run(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--pack-destination', archives, ...npm.slice(at, at + BATCH)],
      {
        maxBuffer: MAX_OUTPUT,
      },
    )
  }
  for (const file of await readdir(archives)) {
    const to = join(folder, 'npm', file.replace(/\.tgz$/, ''))
    await mkdir(to, { recursive: true })
    await extract({ file: join(archives, file), cwd: to, strip: 1 })
  }
  const missing: string[] = []
  for (const spec of pypi) {
    const options = [
      '--quiet',
      '--no-deps',
      '--no-compile',
      '--only-binary',
      ':all:',
      '--target',
      join(folder, 'pypi', spec),
    ]
    await run('python3', ['-m', 'pip', 'install', ...options, spec], { maxBuffer: MAX_OUTPUT }).catch(
      (error: { readonly stderr?: string }) => {
        if (!error.stderr?.includes('No matching distribution')) throw error
        missing.push(spec)
      },
    )
  }
  return { folder, packages: lines.length - missing.length, missing }
}

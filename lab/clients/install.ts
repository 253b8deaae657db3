/**
 * Where third-party clients are: each in a folder of its own, in exactly the version that was tried.
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const QUIET = { maxBuffer: 64 << 20 }

/** Default place of everything that is installed: beside the laboratory's own packages, and gone with them. */
export const CLIENTS = join(import.meta.dirname, '../node_modules/.cache/clients')

/**
 * Packages of npm, by name and version, in a folder of their own.
 * @param install whether what is missing is installed
 * @returns the folder of their programs; undefined: not installed
 */
export async function npmPrograms(folder: string, specifier: string, install: boolean): Promise<string | undefined> {
  const own = join(folder, specifier.replace(/[^\w.-]+/g, '-').replace(/^-/, ''))
  const programs = join(own, 'node_modules/.bin')
  if (existsSync(join(own, 'installed'))) return programs
  if (!install) return undefined
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'package.json'), '{ "private": true }\n')
  await execute('npm', ['install', '--prefix', own, '--no-audit', '--no-fund', specifier], QUIET)
  // Programs that bring a binary of the platform fetch it in a script of their own.
  await execute('npm', ['rebuild', '--prefix', own], QUIET)
  await writeFile(join(own, 'installed'), '')
  return programs
}

/**
 * A Python with a package of PyPI.
 * @param requirement pinned, `mcp==2.3.0`
 * @param install whether what is missing is installed
 * @returns the interpreter; undefined: not installed
 */
export async function pythonWith(folder: string, requirement: string, install: boolean): Promise<string | undefined> {
  const own = join(folder, requirement.replace(/[^\w.-]+/g, '-'))
  const python = join(own, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  if (existsSync(join(own, 'installed'))) return python
  if (!install) return undefined
  await mkdir(folder, { recursive: true })
  await execute('python3', ['-m', 'venv', own])
  await execute(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement], QUIET)
  await writeFile(join(own, 'installed'), '')
  return python
}

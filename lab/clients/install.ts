/**
 * Installs third-party clients, each in its own folder and with a pinned version.
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const QUIET = { maxBuffer: 64 << 20 }

/** Default installation folder, next to the lab's own packages and deleted with them. */
export const CLIENTS = join(import.meta.dirname, '../node_modules/.cache/clients')

/**
 * Programs of npm packages, by name and version, in a separate folder.
 * @param install whether to install missing packages
 * @returns the folder of the programs; undefined: not installed
 */
export async function npmPrograms(folder: string, specifier: string, install: boolean): Promise<string | undefined> {
  const own = join(folder, specifier.replace(/[^\w.-]+/g, '-').replace(/^-/, ''))
  const programs = join(own, 'node_modules/.bin')
  if (existsSync(join(own, 'installed'))) return programs
  if (!install) return undefined
  await mkdir(own, { recursive: true })
  await writeFile(join(own, 'package.json'), '{ "private": true }\n')
  await execute('npm', ['install', '--prefix', own, '--no-audit', '--no-fund', specifier], QUIET)
  // Packages with platform binaries download them in an install script.
  await execute('npm', ['rebuild', '--prefix', own], QUIET)
  await writeFile(join(own, 'installed'), '')
  return programs
}

/**
 * A Python interpreter with a package from PyPI.
 * @param requirement pinned, `mcp==2.3.0`
 * @param install whether to install missing packages
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

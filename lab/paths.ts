/**
 * Paths given on the command line.
 * @module
 */
import { resolve } from 'node:path'

/** Resolves a path given on the command line. npm runs scripts in `lab`; INIT_CWD is the user's folder. */
export function pathGiven(path: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), path)
}

/**
 * Paths that a person gives on the command line.
 * @module
 */
import { resolve } from 'node:path'

/** The absolute path of one given on the command line. npm runs scripts in `lab`; INIT_CWD is the folder of the person. */
export function pathGiven(path: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), path)
}

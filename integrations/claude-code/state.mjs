/**
 * What the hooks remember between two events of a session, and what they could not deliver. Small JSON files in the user's cache
 * folder, readable by nobody else.
 * @module
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Sessions that nothing was heard of for so long are forgotten. */
const KEEP_MS = 14 * 86_400_000
/** Undelivered turns that are kept at most; older ones are dropped. */
const MAX_UNDELIVERED = 200

/**
 * @typedef {object} Session
 * @property {number} [epoch] how often the session was compacted: what was sent before is out of the model's sight
 * @property {{ promptId?: string, query: string, contextIds: string[], retrievalId?: string, startedAt: number }} [turn] unanswered
 * @property {string} [lastInteraction] the interaction that a person's next message may judge
 */

/**
 * The folder of the hooks.
 * @param {NodeJS.ProcessEnv} env
 */
export function stateFolder(env) {
  return (
    env.HYBRID_STATE_FOLDER ||
    join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hybrid-coordinator', 'claude-code')
  )
}

/**
 * @param {string} folder
 * @param {string} session
 * @returns {Promise<Session>} empty for an unknown session
 */
export async function readSession(folder, session) {
  try {
    return JSON.parse(await readFile(sessionFile(folder, session), 'utf8'))
  } catch {
    return {}
  }
}

/**
 * @param {string} folder
 * @param {string} session
 * @param {Session} value
 */
export async function writeSession(folder, session, value) {
  await writeWhole(sessionFile(folder, session), value)
}

/** Removes what is known of a session that has ended, and of all that are long silent. */
export async function forgetSession(folder, session) {
  await rm(sessionFile(folder, session), { force: true })
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (name.startsWith('session-') && Date.now() - mtimeMs > KEEP_MS) await rm(path, { force: true })
  }
}

/** Keeps requests that could not be delivered, each in a file of its own. Names sort by time. */
export async function keepUndelivered(folder, requests) {
  await writeWhole(join(folder, `undelivered-${Date.now()}-${process.pid}.json`), requests)
  const kept = await undelivered(folder)
  for (const path of kept.slice(0, Math.max(0, kept.length - MAX_UNDELIVERED))) await rm(path, { force: true })
}

/** Files with undelivered requests, the oldest first. */
export async function undelivered(folder) {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => name.startsWith('undelivered-'))
    .sort()
    .map((name) => join(folder, name))
}

function sessionFile(folder, session) {
  return join(folder, `session-${session.replace(/[^\w-]/g, '_').slice(0, 100)}.json`)
}

/** A reader sees the old file or the new one, never half of one. */
async function writeWhole(path, value) {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
  const next = `${path}.${process.pid}.new`
  await writeFile(next, JSON.stringify(value), { mode: 0o600 })
  await rename(next, path)
}

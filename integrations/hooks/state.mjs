/**
 * What the hooks remember between two events of a session, and what they could not deliver. Small JSON files in the user's cache
 * folder, readable by nobody else.
 * @module
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Sessions of which nothing was heard for so long are forgotten. */
const KEEP_MS = 14 * 86_400_000
/** Undelivered turns that are kept at most; older ones are dropped. */
const MAX_UNDELIVERED = 200
/** Files that this process has kept: OpenCode handles all sessions in one process. */
let kept = 0

/**
 * @typedef {object} OpenTurn
 * @property {string} [promptId]
 * @property {string} query
 * @property {string[]} contextIds
 * @property {string} [retrievalId]
 * @property {number} startedAt
 * @property {number} [answers] answers that were tracked already: another hook may refuse one, and the agent goes on
 * @property {number} [tokens] tokens that were reported with them
 *
 * @typedef {object} Session
 * @property {number} [epoch] how often the session was compacted: what was sent before is out of the model's sight
 * @property {OpenTurn} [turn]
 * @property {{ id?: string, kept?: string }} [last] the interaction that a person's next message may judge, or the file that keeps it
 * @property {number} [answeredAt] when the coordinator last answered
 *
 * @typedef {object} Undelivered
 * @property {string} url the coordinator that it is meant for
 * @property {object} [tracked] body of track_interaction
 * @property {string} [interactionId] instead of `tracked`: it is there, and only its outcomes are missing
 * @property {object[]} outcomes bodies of update_outcome without the id, in order
 */

/**
 * @param {string} folder
 * @param {string} session
 * @returns {Promise<Session>} empty for an unknown session
 */
export async function readSession(folder, session) {
  try {
    const value = JSON.parse(await readFile(sessionFile(folder, session), 'utf8'))
    return typeof value === 'object' && value !== null ? value : {}
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

/** Removes what is known of a session that has ended, and of all that have been silent for long. */
export async function forgetSession(folder, session) {
  await rm(sessionFile(folder, session), { force: true })
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (name.startsWith('session-') && Date.now() - mtimeMs > KEEP_MS) await rm(path, { force: true })
  }
}

/**
 * Keeps what could not be delivered, in a file of its own. Names sort by time.
 * @param {string} folder
 * @param {Undelivered} value
 * @returns {Promise<string>} name of the file
 */
export async function keepUndelivered(folder, value) {
  const path = join(folder, `undelivered-${Date.now()}-${process.pid}-${kept++}.json`)
  await writeWhole(path, value)
  const all = await undelivered(folder)
  for (const old of all.slice(0, Math.max(0, all.length - MAX_UNDELIVERED))) await rm(old, { force: true })
  return basename(path)
}

/** Adds an outcome to what is kept under a name; nothing happens when it has been delivered meanwhile. */
export async function addOutcome(folder, name, outcome) {
  const path = join(folder, name)
  const value = await readUndelivered(path)
  if (value) await writeWhole(path, { ...value, outcomes: [...value.outcomes, outcome] })
}

/** @returns {Promise<Undelivered | null>} null: gone, or not readable */
export async function readUndelivered(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return null
  }
}

/** Files with undelivered requests, the oldest first. */
export async function undelivered(folder) {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => /^undelivered-.*\.json$/.test(name))
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

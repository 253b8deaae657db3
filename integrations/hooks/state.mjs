/**
 * The state of the hooks between two events of a session, and undelivered requests. Small JSON files in the user's
 * cache folder, readable only by the user.
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Sessions without events for this long are deleted. */
const KEEP_MS = 14 * 86_400_000
/** Maximum number of stored undelivered turns; older ones are deleted. */
const MAX_UNDELIVERED = 200
/** Counter of files written by this process: OpenCode handles all sessions in one process. */
let kept = 0

/**
 * @typedef {object} OpenTurn
 * @property {string} [promptId]
 * @property {string} query
 * @property {string[]} contextIds
 * @property {string} [retrievalId]
 * @property {number} startedAt
 * @property {number} [answers] number of tracked answers: another hook may reject one, and the agent continues
 * @property {number} [tokens] tokens reported with them
 *
 * @typedef {object} Session
 * @property {number} [epoch] number of compactions of the session: the model no longer sees what was sent before
 * @property {OpenTurn} [turn]
 * @property {{ id?: string, kept?: string }} [last] the interaction that the person's next message may judge, or the
 *   file with it
 * @property {number} [answeredAt] when the coordinator last answered
 *
 * @typedef {object} Undelivered
 * @property {string} url the coordinator that it is for
 * @property {object} [tracked] body of track_interaction
 * @property {string} [interactionId] instead of `tracked`: it exists, and only its outcomes are missing
 * @property {object[]} outcomes bodies of update_outcome without the id, in order
 */

/**
 * @param {string} folder
 * @param {string} session
 * @returns {Promise<Session>} empty for an unknown session
 */
export async function readSession(folder, session) {
  try {
    const value = JSON.parse(readFileSync(sessionFile(folder, session), 'utf8'))
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
  writeWhole(sessionFile(folder, session), value)
}

/** Deletes the state of a session that has ended, and of all that have been inactive for long. */
export async function forgetSession(folder, session) {
  await rm(sessionFile(folder, session), { force: true })
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (name.startsWith('session-') && Date.now() - mtimeMs > KEEP_MS) await rm(path, { force: true })
  }
}

/**
 * Stores an undelivered turn in a separate file. Names sort by time.
 * @param {string} folder
 * @param {Undelivered} value
 * @returns {Promise<string>} name of the file
 */
export async function keepUndelivered(folder, value) {
  const path = join(folder, `undelivered-${Date.now()}-${process.pid}-${kept++}.json`)
  writeWhole(path, value)
  const all = readdirSync(folder).filter(isUndelivered).sort()
  for (const old of all.slice(0, Math.max(0, all.length - MAX_UNDELIVERED))) rmSync(join(folder, old), { force: true })
  return basename(path)
}

/** Adds an outcome to a stored turn. Does nothing if the turn was delivered in the meantime. */
export async function addOutcome(folder, name, outcome) {
  const path = join(folder, name)
  const value = await readUndelivered(path)
  if (value) writeWhole(path, { ...value, outcomes: [...value.outcomes, outcome] })
}

/** @returns {Promise<Undelivered | null>} null: deleted, or unreadable */
export async function readUndelivered(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/** Files with undelivered requests, oldest first. */
export async function undelivered(folder) {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter(isUndelivered)
    .sort()
    .map((name) => join(folder, name))
}

const isUndelivered = (name) => /^undelivered-.*\.json$/.test(name)

function sessionFile(folder, session) {
  return join(folder, `session-${session.replace(/[^\w-]/g, '_').slice(0, 100)}.json`)
}

/**
 * Writes a file so that a reader sees the old one or the new one, never half of one. Nothing else runs meanwhile, since the program may end
 * right after.
 */
function writeWhole(path, value) {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  const next = `${path}.${process.pid}.new`
  writeFileSync(next, JSON.stringify(value), { mode: 0o600 })
  renameSync(next, path)
}

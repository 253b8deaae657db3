/**
 * Settings of the hooks: the environment, or a JSON file that `npm run connect` writes for clients whose hooks have no
 * environment variables. Invalid values are reported and replaced by their defaults.
 * @module
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * @typedef {object} HookSettings
 * @property {string} client name of the agent: a tag of its interactions, and the folder of its state
 * @property {string} url base URL of the coordinator, without a trailing slash
 * @property {string} key API key; empty: none
 * @property {string} project
 * @property {number} tokenBudget maximum tokens of context per prompt
 * @property {number} timeoutMs maximum wait for one answer while the coordinator is warm
 * @property {number} firstTimeoutMs the same for the first call, and after a pause: the coordinator may have to load its index
 * @property {number} answerMs time limit for everything at the end of a turn
 * @property {boolean} outcomes whether outcomes are reported
 * @property {boolean} refresh whether changed files are ingested again
 * @property {boolean} debug
 * @property {string} folder folder of the state
 * @property {string[]} problems invalid values, one sentence each
 */

/**
 * Reads the settings.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} client
 * @param {string | undefined} file JSON object of variables; they override the environment
 * @returns {HookSettings}
 */
export function readSettings(env, client, file) {
  const problems = []
  const values = { ...env, ...fromFile(file, problems) }
  const number = (name, fallback, min, max) => {
    const text = values[name]
    if (text === undefined || text === '') return fallback
    const value = Number(text)
    if (Number.isFinite(value) && value >= min && value <= max) return value
    problems.push(`${name} must be a number from ${min} to ${max}, not "${text}"; ${fallback} is used.`)
    return fallback
  }
  const timeoutMs = number('HYBRID_TIMEOUT_MS', 2000, 1, 60_000)
  const url = values.HYBRID_URL || 'http://127.0.0.1:8787'
  if (!URL.canParse(url)) problems.push(`HYBRID_URL must be a URL, not "${url}".`)
  return {
    client,
    url: url.replace(/\/+$/, ''),
    key: values.HYBRID_API_KEY || '',
    project: values.HYBRID_PROJECT || 'default',
    tokenBudget: number('HYBRID_TOKEN_BUDGET', 1500, 0, 100_000),
    timeoutMs,
    firstTimeoutMs: Math.max(5000, timeoutMs),
    answerMs: number('HYBRID_ANSWER_MS', 3000, 100, 60_000),
    outcomes: values.HYBRID_OUTCOMES !== 'off',
    refresh: values.HYBRID_REFRESH !== 'off',
    debug: Boolean(values.HYBRID_DEBUG),
    folder:
      values.HYBRID_STATE_FOLDER ||
      join(values.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hybrid-coordinator', client),
    problems,
  }
}

function fromFile(file, problems) {
  if (!file) return {}
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    problems.push(`${file} can't be read (${error.code ?? 'not JSON'}): run npm run connect again.`)
    return {}
  }
}

/**
 * Reads one turn from a Claude Code transcript: the answer, the model, the tokens, and whether the checks passed. Pure
 * functions.
 * @module
 */
import { judgeCommand } from './checks.mjs'

/**
 * Exit codes of a command that didn't run or was ended: not executable, not found, killed by a signal or by `timeout`.
 */
const NOT_ENDED = new Set([124, 126, 127])
/** Exit codes above this one report signals. */
const SIGNALS = 128

/**
 * @typedef {object} Turn
 * @property {string} answer the last text that the model wrote; empty when it wrote none
 * @property {string | null} model
 * @property {number} tokens tokens sent and written for the first time: input, cache writes, output. Cache reads are
 *   not counted, because every step of a turn reads the same tokens again.
 * @property {number} milliseconds from the first to the last entry
 * @property {'success' | 'failure' | null} checks result of the last check; null: none was run, or its result is
 *   unknown
 * @property {boolean} superseded whether another prompt follows, so that the current answer does not belong to this
 *   turn
 */

/**
 * Reads one turn from a transcript (JSON Lines; unreadable lines are skipped).
 * @param {string} transcript
 * @param {string | undefined} promptId id of the turn; undefined: everything after the last prompt by a person
 * @returns {Turn}
 */
export function readTurn(transcript, promptId) {
  const { entries, superseded } = entriesOfTurn(parseLines(transcript), promptId)
  const messages = new Map()
  let answer = ''
  for (const entry of entries) {
    if (entry.type !== 'assistant' || typeof entry.message !== 'object' || entry.message === null) continue
    // One API message is split into several lines, one per block. The last one has the final usage.
    messages.set(entry.message.id ?? entry.uuid, entry.message)
    const text = textOf(entry.message.content)
    if (text !== '') answer = text
  }
  const used = [...messages.values()]
  const times = entries.map(({ timestamp }) => Date.parse(timestamp)).filter(Number.isFinite)
  return {
    answer,
    model:
      used.map(({ model }) => model).findLast((model) => typeof model === 'string' && !model.startsWith('<')) ?? null,
    tokens: used.reduce((sum, { usage }) => sum + tokensOf(usage), 0),
    milliseconds: times.length > 1 ? Math.max(...times) - Math.min(...times) : 0,
    checks: outcomeOfChecks(entries),
    superseded,
  }
}

function parseLines(transcript) {
  const entries = []
  for (const line of transcript.split('\n')) {
    if (line.trim() === '') continue
    try {
      const entry = JSON.parse(line)
      if (typeof entry === 'object' && entry !== null && entry.isSidechain !== true) entries.push(entry)
    } catch {
      // The last line may be incomplete.
    }
  }
  return entries
}

function entriesOfTurn(entries, promptId) {
  const isPrompt = (entry) =>
    entry.type === 'user' &&
    !toolResults(entry).length &&
    entry.isMeta !== true &&
    !textOf(entry.message?.content).startsWith('[Request interrupted')
  const named =
    promptId === undefined ? -1 : entries.findIndex((entry) => isPrompt(entry) && entry.promptId === promptId)
  const start = named >= 0 ? named : entries.findLastIndex(isPrompt)
  if (start < 0) return { entries: [], superseded: false }
  const after = entries.slice(start + 1)
  const next = after.findIndex((entry) => isPrompt(entry) && entry.promptId !== entries[start].promptId)
  return { entries: [entries[start], ...(next >= 0 ? after.slice(0, next) : after)], superseded: next >= 0 }
}

function textOf(content) {
  if (typeof content === 'string') return content.trim()
  if (!Array.isArray(content)) return ''
  return content
    .filter((block) => block?.type === 'text' && typeof block.text === 'string')
    .map(({ text }) => text)
    .join('\n\n')
    .trim()
}

function tokensOf(usage) {
  const count = (value) => (Number.isFinite(value) && value > 0 ? value : 0)
  return count(usage?.input_tokens) + count(usage?.cache_creation_input_tokens) + count(usage?.output_tokens)
}

function toolResults(entry) {
  const content = entry.message?.content
  return Array.isArray(content) ? content.filter((block) => block?.type === 'tool_result') : []
}

function outcomeOfChecks(entries) {
  const commands = new Map()
  let outcome = null
  for (const entry of entries) {
    for (const block of Array.isArray(entry.message?.content) ? entry.message.content : []) {
      if (block?.type === 'tool_use' && block.name === 'Bash' && typeof block.input?.command === 'string') {
        commands.set(block.id, block.input)
      }
    }
    for (const result of toolResults(entry)) {
      const input = commands.get(result.tool_use_id)
      const { check, passTells, failTells } = input ? judgeCommand(input.command) : { check: false }
      if (!check) continue
      const code = exitCodeOf(result, entry.toolUseResult, input)
      // A check that didn't run, or whose result is unknown, also invalidates the result of an earlier one, because the
      // work has continued since.
      if (code === undefined) outcome = null
      else if (code === 0) outcome = passTells ? 'success' : null
      else outcome = failTells ? 'failure' : null
    }
  }
  return outcome
}

/**
 * The exit code of a completed command; undefined if it didn't complete, or if that is unknown: rejected by the person,
 * denied by a rule, interrupted, timed out, moved to the background.
 */
function exitCodeOf(result, details, input) {
  if (input.run_in_background === true) return undefined
  const known = typeof details === 'object' && details !== null ? details : {}
  if (known.interrupted === true || known.backgroundTaskId !== undefined) return undefined
  const text = typeof result.content === 'string' ? result.content : textOf(result.content)
  if (result.is_error !== true)
    return /^Command (?:running|was moved|is running) .*background/i.test(text) ? undefined : 0
  const code = Number(/^(?:Error: )?Exit code (\d+)/.exec(text)?.[1] ?? Number.NaN)
  return Number.isNaN(code) || NOT_ENDED.has(code) || code >= SIGNALS ? undefined : code
}

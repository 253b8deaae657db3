#!/usr/bin/env node
/**
 * Claude Code hook of Hybrid Coordinator: adds the team's knowledge to each prompt, tracks each answer, and reports how it went.
 * One program for the events UserPromptSubmit, Stop, SessionStart and SessionEnd; needs Node 20 and nothing else.
 *
 * It never stands in the way: whatever fails, the prompt goes through as it was written, and a turn that could not be delivered
 * is kept and sent with a later one.
 *
 * Environment: HYBRID_URL (http://127.0.0.1:8787), HYBRID_API_KEY, HYBRID_PROJECT (default), HYBRID_TOKEN_BUDGET (1500),
 * HYBRID_TIMEOUT_MS (2000), HYBRID_OUTCOMES (on; off: report none), HYBRID_DEBUG (1: say on stderr what happens).
 * @module
 */
import { readFile, rm } from 'node:fs/promises'
import { forgetSession, keepUndelivered, readSession, stateFolder, undelivered, writeSession } from './state.mjs'
import { outcomeOfReply, readTurn } from './turn.mjs'

/** Claude Code shows hook output whole up to 10,000 characters. */
const MAX_CHARACTERS = 10_000
/** Longest answer that is tracked, in characters; the coordinator takes no more. */
const MAX_ANSWER = 200_000
/** Longest query, likewise. */
const MAX_QUERY = 100_000
/** Longest wait for the transcript to hold the last answer. */
const TRANSCRIPT_MS = 2000
/** Undelivered turns that are sent along with one event. */
const CATCH_UP = 5

const env = process.env
const settings = {
  url: (env.HYBRID_URL || 'http://127.0.0.1:8787').replace(/\/+$/, ''),
  key: env.HYBRID_API_KEY || '',
  project: env.HYBRID_PROJECT || 'default',
  tokenBudget: Number(env.HYBRID_TOKEN_BUDGET) || 1500,
  timeoutMs: Number(env.HYBRID_TIMEOUT_MS) || 2000,
  outcomes: env.HYBRID_OUTCOMES !== 'off',
  folder: stateFolder(env),
}
const note = (text) => env.HYBRID_DEBUG && process.stderr.write(`hybrid-coordinator: ${text}\n`)

try {
  const event = JSON.parse(await readAll(process.stdin))
  const handle = { UserPromptSubmit: onPrompt, Stop: onStop, SessionStart: onSessionStart, SessionEnd: onSessionEnd }
  await handle[event.hook_event_name]?.(event)
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
}

/** Prints the context that a prompt needs. */
async function onPrompt({ session_id: id, prompt_id: promptId, prompt }) {
  const session = await readSession(settings.folder, id)
  if (session.lastInteraction) await judge(session.lastInteraction, outcomeOfReply(prompt))
  // Commands and shell lines are not questions.
  if (/^\s*[/!#]/.test(prompt) || prompt.trim() === '') return
  const turn = { promptId, query: prompt.slice(0, MAX_QUERY), contextIds: [], startedAt: Date.now() }
  try {
    const found = await post('/augment_query', {
      query: turn.query,
      project: settings.project,
      agent_type: 'remote',
      conversation_id: conversationOf(id, session),
      token_budget: settings.tokenBudget,
    })
    turn.contextIds = found.context_ids
    turn.retrievalId = found.retrieval_id
    const context = contextOf(found)
    note(`${found.context_count} passages, ${found.token_count} tokens`)
    if (context !== '') {
      const hookSpecificOutput = {
        hookEventName: 'UserPromptSubmit',
        additionalContext: context.slice(0, MAX_CHARACTERS),
      }
      process.stdout.write(JSON.stringify({ hookSpecificOutput }))
    }
  } catch (error) {
    note(`no context: ${error.message}`)
  }
  await writeSession(settings.folder, id, { ...session, turn, lastInteraction: undefined })
}

/** Tracks the answer of the turn that has ended, and reports an outcome where a check decided it. */
async function onStop({ session_id: id, transcript_path: path, last_assistant_message: message }) {
  const session = await readSession(settings.folder, id)
  const { turn } = session
  if (!turn) return
  const said = await writtenTurn(path, turn.promptId, message)
  const response = (message || said.answer).slice(0, MAX_ANSWER)
  if (response.trim() === '') return
  const tracked = {
    query: turn.query,
    response,
    agent_type: 'remote',
    model_used: said.model ?? 'claude-code',
    context_ids: turn.contextIds,
    tokens_used: said.tokens,
    latency_ms: said.milliseconds || Math.max(0, Date.now() - turn.startedAt),
    project: settings.project,
    conversation_id: conversationOf(id, session),
    ...(turn.retrievalId && { retrieval_id: turn.retrievalId }),
    tags: ['claude-code'],
    idempotency_key: `claude-code:${id}:${turn.promptId ?? turn.startedAt}`,
  }
  const outcome = settings.outcomes ? said.checks : null
  const lastInteraction = await deliver({ tracked, outcome }).catch(async (error) => {
    note(`kept for later: ${error.message}`)
    if (error.refused !== true) await keepUndelivered(settings.folder, { tracked, outcome })
    return undefined
  })
  await writeSession(settings.folder, id, { ...session, turn: undefined, lastInteraction })
  if (lastInteraction) await catchUp()
}

/** The turn as the transcript has it. Claude Code writes it a moment late: the last answer is waited for. */
async function writtenTurn(path, promptId, message) {
  for (const deadline = Date.now() + TRANSCRIPT_MS; ; ) {
    const turn = readTurn(path ? await readFile(path, 'utf8').catch(() => '') : '', promptId)
    const whole = !message || turn.answer.endsWith(message.trim()) || message.trim().endsWith(turn.answer || '\0')
    if (whole || !path || Date.now() > deadline) return turn
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** After a compaction nothing that was sent before is certain to be in the model's sight. */
async function onSessionStart({ session_id: id, source }) {
  if (source !== 'compact') return
  const session = await readSession(settings.folder, id)
  await writeSession(settings.folder, id, { ...session, epoch: (session.epoch ?? 0) + 1 })
}

async function onSessionEnd({ session_id: id }) {
  await forgetSession(settings.folder, id)
}

/** Tracks an answer and its outcome. Safe to repeat: the key makes one interaction of it. */
async function deliver({ tracked, outcome }) {
  const { interaction_id: id } = await post('/track_interaction', tracked)
  if (outcome) await post('/update_outcome', { interaction_id: id, outcome })
  note(`tracked ${id}${outcome ? `, ${outcome}` : ''}`)
  return id
}

/** What a person said of an answer outweighs a check: it comes later. */
async function judge(interactionId, outcome) {
  if (!outcome || !settings.outcomes) return
  const user_feedback = outcome === 'success' ? 1 : -1
  await post('/update_outcome', { interaction_id: interactionId, outcome, user_feedback }).catch(({ message }) =>
    note(message),
  )
}

async function catchUp() {
  for (const path of (await undelivered(settings.folder)).slice(0, CATCH_UP)) {
    try {
      await deliver(JSON.parse(await readFile(path, 'utf8')))
    } catch (error) {
      if (error.refused !== true) return
    }
    await rm(path, { force: true })
  }
}

/** What stands below the query in an augmented prompt; the prompt itself is in front of the model already. */
function contextOf({ augmented_prompt: prompt, original_query: query, context_count: count, already_sent: sent = [] }) {
  if (count === 0 && sent.length === 0) return ''
  const below = prompt.startsWith(query) ? prompt.slice(query.length) : prompt
  return below.replace(/^\s*-{3,}\s*/, '').trim()
}

function conversationOf(id, { epoch }) {
  return epoch ? `${id}.${epoch}` : id
}

/** @throws Error, with `refused` when repeating the request would change nothing */
async function post(path, body) {
  const response = await fetch(settings.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(settings.key && { 'x-api-key': settings.key }) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(settings.timeoutMs),
  })
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  const error = new Error(answer.detail ?? `HTTP ${response.status}`)
  const transient = response.status >= 500 || [401, 403, 408, 429].includes(response.status)
  throw Object.assign(error, { refused: !transient })
}

async function readAll(stream) {
  let text = ''
  for await (const piece of stream) text += piece
  return text
}

/**
 * The logic of the hooks, for every client: add the team's knowledge to a prompt, track the answer, report the outcome.
 *
 * It never blocks the user: if anything fails, the prompt is sent unchanged, and a turn that could not be delivered is
 * stored and sent with a later one.
 * @module
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './coordinator.mjs'
import { outcomeOfReply } from './reply.mjs'
import {
  addOutcome,
  forgetSession,
  keepUndelivered,
  readSession,
  readUndelivered,
  undelivered,
  writeSession,
} from './state.mjs'
import { firstCharacters, firstPassages, questionOf } from './text.mjs'
import { readTurn } from './turn.mjs'

/** Claude Code shows a hook's output in full up to 10,000 characters. */
const MAX_CONTEXT = 10_000
/** Maximum length of a tracked answer, in characters. The coordinator rejects longer ones. */
const MAX_ANSWER = 200_000
/** Maximum length of a query, in characters. */
const MAX_QUERY = 100_000
/** After a longer pause without calls, the coordinator may have to load its index again. */
const COLD_AFTER_MS = 60_000
/** Maximum wait for the transcript to contain the last answer. */
const TRANSCRIPT_MS = 1000
/** Number of bytes read from the end of a transcript. */
const TRANSCRIPT_BYTES = 16 * 1024 * 1024
/** Maximum wait for the health check at the start of a session. */
const START_MS = 2500
/** Marks a request that the coordinator rejected permanently. */
const REFUSED = Symbol('refused')

/**
 * @typedef {import('./settings.mjs').HookSettings} HookSettings
 * @typedef {import('./clients.mjs').HookEvent} HookEvent
 */

/**
 * Handles one event.
 * @param {HookSettings} settings
 * @param {HookEvent} event
 * @param {(text: string) => void} note receives debug messages
 * @returns {Promise<{ context?: string, message?: string }>} context for the model, message for the user
 */
export async function handle(settings, event, note) {
  switch (event.kind) {
    case 'prompt':
      return onPrompt(settings, event, note)
    case 'answer':
      await onAnswer(settings, event, note)
      return {}
    case 'start':
      return onStart(settings)
    case 'compacted': {
      // After a compaction, the model may no longer see what was sent before.
      const session = await readSession(settings.folder, event.session)
      await writeSession(settings.folder, event.session, { ...session, epoch: (session.epoch ?? 0) + 1 })
      return {}
    }
    default: {
      // A resumed session may start with a verdict on its last answer. Nothing else of it is needed.
      const { last, epoch } = await readSession(settings.folder, event.session)
      await forgetSession(settings.folder, event.session)
      if (last) await writeSession(settings.folder, event.session, { last, ...(epoch && { epoch }) })
      return {}
    }
  }
}

/** Makes the coordinator load the project's index, so that the first prompt doesn't have to wait for it. */
export async function warmUp(settings) {
  await ask(
    settings,
    '/hybrid_search',
    { query: 'warm-up', project: settings.project, limit: 1 },
    { ms: 30_000, field: 'degraded' },
  )
}

async function onPrompt(settings, { session: id, promptId, prompt }, note) {
  const session = await readSession(settings.folder, id)
  const question = questionOf(prompt)
  // In any case, the previous turn is over: interrupted or answered. A command or notice starts a turn that is not
  // tracked, and the person's message after it does not refer to the earlier answer.
  const next = { ...session, turn: undefined, last: undefined }
  if (question === '') {
    await writeSession(settings.folder, id, next)
    return {}
  }
  const turn = { promptId, query: firstCharacters(question, MAX_QUERY), contextIds: [], startedAt: Date.now() }
  const warm = Date.now() - (session.answeredAt ?? 0) < COLD_AFTER_MS
  const judged = session.last ? judge(settings, session.last, outcomeOfReply(question), note) : undefined
  const found = await ask(
    settings,
    '/augment_query',
    {
      query: turn.query,
      project: settings.project,
      agent_type: 'remote',
      conversation_id: conversationOf(id, session),
      token_budget: settings.tokenBudget,
    },
    { ms: warm ? settings.timeoutMs : settings.firstTimeoutMs, field: 'augmented_prompt' },
  ).catch((error) => note(`no context: ${error.message}`))
  await judged
  if (!found) {
    await writeSession(settings.folder, id, { ...next, turn })
    return {}
  }
  Object.assign(turn, { contextIds: found.context_ids ?? [], retrievalId: found.retrieval_id })
  await writeSession(settings.folder, id, { ...next, turn, answeredAt: Date.now() })
  note(`${found.context_count} passages, ${found.token_count} tokens`)
  return { context: firstPassages(contextOf(found), MAX_CONTEXT) }
}

/** Tracks the answer of the finished turn, and reports an outcome if a check determined it. */
async function onAnswer(settings, event, note) {
  const deadline = Date.now() + settings.answerMs
  const session = await readSession(settings.folder, event.session)
  const { turn } = session
  if (!turn) return
  const otherTurn = turn.promptId !== undefined && event.promptId !== undefined && turn.promptId !== event.promptId
  // An answer that continues after a hook rejected it belongs to the same turn. Any other second answer doesn't.
  if (otherTurn || ((turn.answers ?? 0) > 0 && !event.again)) {
    await writeSession(settings.folder, event.session, { ...session, turn: undefined, last: undefined })
    return
  }
  const said = await writtenTurn(event, turn.promptId, Math.min(TRANSCRIPT_MS, settings.answerMs / 3))
  const response = firstCharacters(event.answer || said?.answer || '', MAX_ANSWER)
  if (response.trim() === '' || said?.superseded) {
    note(said?.superseded ? 'another prompt follows: not tracked' : 'no answer: not tracked')
    await writeSession(settings.folder, event.session, { ...session, turn: undefined, last: undefined })
    return
  }
  const answers = (turn.answers ?? 0) + 1
  const tokens = said ? Math.max(0, said.tokens - (turn.tokens ?? 0)) : 0
  const tracked = {
    query: turn.query,
    response,
    agent_type: 'remote',
    model_used: firstCharacters(said?.model ?? event.model ?? settings.client, 200),
    context_ids: turn.contextIds,
    ...(tokens > 0 && { tokens_used: tokens }),
    latency_ms: said?.milliseconds || Math.max(0, Date.now() - turn.startedAt),
    project: settings.project,
    conversation_id: conversationOf(event.session, session),
    ...(turn.retrievalId && { retrieval_id: turn.retrievalId }),
    tags: [settings.client],
    idempotency_key: `${settings.client}:${event.session}:${turn.promptId ?? turn.startedAt}${answers > 1 ? `:${answers}` : ''}`,
  }
  const checks = settings.outcomes ? said?.checks : null
  const parcel = { url: settings.url, tracked, outcomes: checks ? [{ outcome: checks }] : [] }
  const left = () => Math.min(settings.timeoutMs, deadline - Date.now())
  const open = { ...turn, answers, tokens: (turn.tokens ?? 0) + tokens }
  // An agent may kill this program at any moment: the turn is written to disk before it is sent, and deleted only after
  // everything is recorded.
  const kept = await keepUndelivered(settings.folder, parcel)
  await writeSession(settings.folder, event.session, { ...session, turn: open, last: { kept } })
  const id = await deliver(settings, parcel, left, note).catch((error) => giveUp(error, note))
  if (id === undefined) return
  const last = id === REFUSED ? undefined : { id }
  await writeSession(settings.folder, event.session, {
    ...session,
    turn: open,
    last,
    ...(last && { answeredAt: Date.now() }),
  })
  await rm(join(settings.folder, kept), { force: true })
  if (last) await catchUp(settings, left, note)
}

/** The turn from the transcript. Claude Code writes it with a short delay, so this waits for the last answer. */
async function writtenTurn({ transcript: path, answer }, promptId, ms) {
  if (!path) return null
  for (const deadline = Date.now() + ms; ; ) {
    const turn = readTurn(await endOf(path), promptId)
    const whole = !answer || turn.answer.endsWith(answer.trim()) || answer.trim().endsWith(turn.answer || '\0')
    if (whole || Date.now() > deadline) return turn
    await sleep(50)
  }
}

/** The last part of a file, starting at a line; empty if it can't be read. */
async function endOf(path) {
  const file = await open(path).catch(() => null)
  if (!file) return ''
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - TRANSCRIPT_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    const text = buffer.toString('utf8', 0, bytesRead)
    return from > 0 ? text.slice(text.indexOf('\n') + 1) : text
  } catch {
    return ''
  } finally {
    await file.close()
  }
}

/** Tells the user, once per session, if prompts will get no context, and why. */
async function onStart(settings) {
  if (settings.problems.length > 0) return { message: `Hybrid Coordinator: ${settings.problems.join(' ')}` }
  const path = `/collections?project=${encodeURIComponent(settings.project)}`
  const error = await ask(settings, path, undefined, { ms: START_MS, field: 'collections' }).then(
    () => null,
    (problem) => problem,
  )
  // A coordinator that is only slow may still be loading.
  if (error === null || /^no answer within/.test(error.message)) return {}
  const fix =
    error.status === 401 || error.status === 403
      ? 'check the key: npm run connect again with --key'
      : 'start it with npm run dev -- start'
  return {
    message: `Hybrid Coordinator at ${settings.url} can't be used (${error.message}); prompts get no context. To fix it, ${fix}.`,
  }
}

/** Reports a failed request. Returns `REFUSED` if it must not be repeated, otherwise undefined. */
function giveUp(error, note) {
  note(`${error.refused ? 'refused' : 'kept for later'}: ${error.message}`)
  return error.refused ? REFUSED : undefined
}

/** Tracks an answer and its outcomes. Safe to repeat: the key identifies the interaction. */
async function deliver(settings, { tracked, interactionId, outcomes }, left, note) {
  const send = (path, body) => {
    const ms = left()
    if (ms <= 0) throw new Error('no time left')
    return ask(settings, path, body, { ms, field: 'interaction_id' })
  }
  const id = interactionId ?? (await send('/track_interaction', tracked)).interaction_id
  for (const outcome of outcomes) await send('/update_outcome', { interaction_id: id, ...outcome })
  note(`tracked ${id}${outcomes.map(({ outcome }) => `, ${outcome}`).join('')}`)
  return id
}

/** The person's verdict overrides a check, because it comes later. */
async function judge(settings, last, outcome, note) {
  if (!outcome || !settings.outcomes) return
  const verdict = { outcome, user_feedback: outcome === 'success' ? 1 : -1 }
  const left = deadlineAfter(settings.timeoutMs)
  if (last.kept) {
    await addOutcome(settings.folder, last.kept, verdict)
    await sendKept(settings, join(settings.folder, last.kept), left, note)
    return
  }
  const parcel = { url: settings.url, interactionId: last.id, outcomes: [verdict] }
  const id = await deliver(settings, parcel, left, note).catch((error) => giveUp(error, note))
  if (id === undefined) await keepUndelivered(settings.folder, parcel)
}

/** Sends stored turns for this coordinator, as many as time allows. */
async function catchUp(settings, left, note) {
  for (const path of await undelivered(settings.folder)) {
    if (left() <= 0 || !(await sendKept(settings, path, left, note))) return
  }
}

/** Sends one stored file and deletes it. Returns false if the coordinator can't be reached. */
async function sendKept(settings, path, left, note) {
  const parcel = await readUndelivered(path)
  if (parcel !== null && parcel.url !== settings.url) return true
  try {
    if (parcel !== null) await deliver(settings, parcel, left, note)
  } catch (error) {
    note(`still kept: ${error.message}`)
    if (!error.refused) return false
  }
  await rm(path, { force: true })
  return true
}

function deadlineAfter(ms) {
  const end = Date.now() + ms
  return () => end - Date.now()
}

/** The text below the query in an augmented prompt. The model already has the prompt itself. */
function contextOf({ augmented_prompt: prompt, original_query: query, context_count: count, already_sent: sent = [] }) {
  if (typeof prompt !== 'string' || (count === 0 && sent.length === 0)) return ''
  const below = typeof query === 'string' && prompt.startsWith(query) ? prompt.slice(query.length) : prompt
  return below.replace(/^\s*-{3,}\s*/, '').trim()
}

function conversationOf(id, { epoch }) {
  return firstCharacters(epoch ? `${id}.${epoch}` : id, 200)
}

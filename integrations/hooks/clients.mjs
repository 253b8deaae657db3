/**
 * Converts the hook events of each client to a common format. Pure functions.
 * @module
 */

/**
 * @typedef {object} HookEvent
 * @property {'prompt' | 'answer' | 'start' | 'compacted' | 'end'} kind
 * @property {string} name the event's own name, which some answers must repeat
 * @property {string} session
 * @property {string} [promptId] id of the turn, if the client has one
 * @property {string} [prompt]
 * @property {string} [answer] the final text, if the event contains it
 * @property {boolean} [again] another hook rejected the previous answer
 * @property {string} [transcript] path of a transcript that `turn.mjs` can read
 * @property {string} [model]
 * @property {string} [folder] the agent's working directory
 */

const KINDS = {
  UserPromptSubmit: 'prompt',
  BeforeAgent: 'prompt',
  Stop: 'answer',
  AfterAgent: 'answer',
  SessionStart: 'start',
  PostCompact: 'compacted',
  PreCompress: 'compacted',
  SessionEnd: 'end',
}

/**
 * @param {string} client
 * @param {any} event the client's JSON from standard input
 * @returns {HookEvent | null} null for events that don't concern the coordinator
 */
export function readEvent(client, event) {
  const name = event?.hook_event_name
  const kind = typeof name === 'string' && Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind === undefined || typeof event.session_id !== 'string') return null
  // Gemini CLI sends this event before every turn, to decide whether to compress. Only a manual trigger certainly
  // compresses.
  if (name === 'PreCompress' && event.trigger !== 'manual') return null
  const text = (value) => (typeof value === 'string' && value !== '' ? value : undefined)
  return {
    // After a compaction, Claude Code starts the session again.
    kind: kind === 'start' && event.source === 'compact' ? 'compacted' : kind,
    name,
    session: event.session_id,
    promptId: text(event.prompt_id) ?? text(event.turn_id),
    prompt: text(event.prompt),
    answer: text(event.last_assistant_message) ?? text(event.prompt_response),
    again: event.stop_hook_active === true,
    // Other clients use formats that change without notice.
    transcript: client === 'claude-code' ? text(event.transcript_path) : undefined,
    model: text(event.model),
    folder: text(event.cwd),
  }
}

/**
 * The output that adds context to a prompt, or shows a message to the user.
 * @param {HookEvent} event
 * @param {{ context?: string, message?: string }} said
 */
export function outputOf({ name }, { context, message }) {
  if (!context && !message) return ''
  return JSON.stringify({
    ...(message && { systemMessage: message }),
    ...(context && { hookSpecificOutput: { hookEventName: name, additionalContext: context } }),
  })
}

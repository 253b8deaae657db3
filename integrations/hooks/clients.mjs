/**
 * The hook events of each client in one form. Pure functions.
 * @module
 */

/**
 * @typedef {object} HookEvent
 * @property {'prompt' | 'answer' | 'start' | 'compacted' | 'end'} kind
 * @property {string} name the event's own name, which some answers repeat
 * @property {string} session
 * @property {string} [promptId] id of the turn, where the client has one
 * @property {string} [prompt]
 * @property {string} [answer] the final text, where the event has it
 * @property {boolean} [again] another hook refused the answer before this one
 * @property {string} [transcript] path of a transcript that `turn.mjs` can read
 * @property {string} [model]
 * @property {string} [folder] in which the agent works
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
 * @param {any} event what the client wrote to standard input
 * @returns {HookEvent | null} null for events that don't concern the coordinator
 */
export function readEvent(client, event) {
  const name = event?.hook_event_name
  const kind = typeof name === 'string' && Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  if (kind === undefined || typeof event.session_id !== 'string') return null
  // Gemini CLI asks before every turn whether to compress; only a person's command is certain to.
  if (name === 'PreCompress' && event.trigger !== 'manual') return null
  const text = (value) => (typeof value === 'string' && value !== '' ? value : undefined)
  return {
    // After a compaction Claude Code starts the session anew.
    kind: kind === 'start' && event.source === 'compact' ? 'compacted' : kind,
    name,
    session: event.session_id,
    promptId: text(event.prompt_id) ?? text(event.turn_id),
    prompt: text(event.prompt),
    answer: text(event.last_assistant_message) ?? text(event.prompt_response),
    again: event.stop_hook_active === true,
    // Others keep theirs in forms that change without notice.
    transcript: client === 'claude-code' ? text(event.transcript_path) : undefined,
    model: text(event.model),
    folder: text(event.cwd),
  }
}

/**
 * What is printed to add context to a prompt, or to tell the person something.
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

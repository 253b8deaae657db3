/**
 * Converts chats from other programs to interactions: exports of Claude and ChatGPT, and transcripts of Claude Code.
 * Pure.
 * @module
 */

/** A question and its answer. */
export interface Turn {
  query: string
  response: string
  agent_type: 'remote'
  model_used: string
  tags: string[]
  /** A turn has the same key in every export. */
  idempotency_key: string
  /** Milliseconds since 1970. */
  created_at?: number
}

interface Message {
  id: string
  role: 'user' | 'assistant'
  text: string
  model?: string
  at?: number
}

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'number' ? value * 1_000 : typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isFinite(time) && time >= 0 ? Math.round(time) : undefined
}

const clean = (text: string): string => text.toWellFormed().replaceAll('\0', '').trim()

/** Pairs each question with all answers up to the next question. */
function turnsOf(messages: readonly Message[], from: string): Turn[] {
  const turns: Turn[] = []
  for (let i = 0; i < messages.length; i++) {
    const question = messages[i]
    if (question?.role !== 'user') continue
    const answers: Message[] = []
    for (let next = messages[i + 1]; next?.role === 'assistant'; next = messages[i + 1]) {
      answers.push(next)
      i++
    }
    const query = clean(question.text)
    const response = clean(answers.map(({ text }) => text).join('\n\n'))
    if (query === '' || response === '') continue
    turns.push({
      query,
      response,
      agent_type: 'remote',
      model_used: answers.findLast(({ model }) => model)?.model ?? from,
      tags: ['imported', from],
      idempotency_key: `${from}:${question.id}`.slice(0, 200),
      ...(question.at !== undefined && { created_at: question.at }),
    })
  }
  return turns
}

/** The text parts of a message's content, in the format of the Anthropic API. */
function partsOf(content: unknown): string {
  if (typeof content === 'string') return content
  return listOf(content)
    .flatMap((part) => (isObject(part) && part.type === 'text' ? (textOf(part.text) ?? []) : []))
    .join('\n\n')
}

/** The messages of a conversation in Claude's export, in order. */
function claudeMessages(chat: Json): Message[] {
  return listOf(chat.chat_messages).flatMap((message, i) => {
    if (!isObject(message) || (message.sender !== 'human' && message.sender !== 'assistant')) return []
    return {
      id: textOf(message.uuid) ?? `${String(chat.uuid)}-${i}`,
      role: message.sender === 'human' ? ('user' as const) : ('assistant' as const),
      text: partsOf(message.content) || (textOf(message.text) ?? ''),
      at: timeOf(message.created_at),
    }
  })
}

/** The messages of a conversation in ChatGPT's export: a tree, of which the last shown branch is used. */
function chatgptMessages(chat: Json): Message[] {
  const mapping = isObject(chat.mapping) ? chat.mapping : {}
  const messages: Message[] = []
  const seen = new Set<string>()
  let at = textOf(chat.current_node) ?? Object.keys(mapping).at(-1)
  while (at !== undefined && !seen.has(at)) {
    seen.add(at)
    const node = mapping[at]
    if (!isObject(node)) break
    const message = isObject(node.message) ? node.message : {}
    const role = isObject(message.author) ? message.author.role : undefined
    const content = isObject(message.content) ? message.content : {}
    const shown = content.content_type === 'text' || content.content_type === 'multimodal_text'
    if (shown && (role === 'user' || role === 'assistant')) {
      const metadata = isObject(message.metadata) ? message.metadata : {}
      messages.push({
        id: textOf(message.id) ?? at,
        role,
        text: listOf(content.parts)
          .filter((part) => typeof part === 'string')
          .join('\n\n'),
        model: textOf(metadata.model_slug),
        at: timeOf(message.create_time),
      })
    }
    at = textOf(node.parent)
  }
  return messages.reverse().filter(({ text }) => text.trim() !== '')
}

/** Messages that a transcript attributes to a person, but that the client wrote. */
const NOT_A_PERSON =
  /^\s*(?:<(?:command-(?:name|message|args)|local-command-\w+|task-notification|system-reminder|bash-(?:input|stdout|stderr)|user-memory-input)\b|Caveat: The messages below|\[Request interrupted|This session is being continued from)/

/** The conversation of a transcript: its main line, without tool results and text written by the client. */
function transcriptMessages(lines: readonly Json[]): Message[] {
  return lines.flatMap((line) => {
    if (line.isSidechain === true || line.isMeta === true || line.isCompactSummary === true) return []
    const message = isObject(line.message) ? line.message : {}
    if ((line.type !== 'user' && line.type !== 'assistant') || message.role !== line.type) return []
    const text = partsOf(message.content)
    if (text.trim() === '' || (line.type === 'user' && NOT_A_PERSON.test(text))) return []
    const id = textOf(line.uuid) ?? `${String(line.sessionId)}-${String(line.timestamp)}`
    return { id, role: line.type, text, model: textOf(message.model), at: timeOf(line.timestamp) }
  })
}

/** Whether a line is from a Claude Code transcript. */
function isTranscriptLine(value: unknown): value is Json {
  return isObject(value) && typeof value.type === 'string' && typeof value.sessionId === 'string'
}

/**
 * The turns of an exported chat.
 * @param text - the file: JSON, or one JSON value per line
 * @returns undefined if it is not a chat in a known format
 */
export function chatTurns(text: string): Turn[] | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const lines = text.split('\n').flatMap((line) => {
      try {
        return line.trim() === '' ? [] : [JSON.parse(line) as unknown]
      } catch {
        // The last line of a running session may be incomplete.
        return []
      }
    })
    const transcript = lines.filter(isTranscriptLine)
    return transcript.length * 2 > lines.length ? turnsOf(transcriptMessages(transcript), 'claude-code') : undefined
  }
  if (isTranscriptLine(value)) return turnsOf(transcriptMessages([value]), 'claude-code')
  const chats = listOf(
    isObject(value) && Array.isArray(value.conversations) ? value.conversations : isObject(value) ? [value] : value,
  )
  const known = chats.filter(
    (chat): chat is Json => isObject(chat) && (Array.isArray(chat.chat_messages) || isObject(chat.mapping)),
  )
  if (known.length === 0) return undefined
  return known.flatMap((chat) =>
    isObject(chat.mapping) ? turnsOf(chatgptMessages(chat), 'chatgpt') : turnsOf(claudeMessages(chat), 'claude'),
  )
}

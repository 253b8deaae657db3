/**
 * Detects tasks that chat clients send to a model on their own: a title for the conversation, tags, follow-up
 * questions. They don't come from a person, so they get no context, are not tracked and not used for learning. Pure.
 * @module
 */

interface Message {
  readonly role: string
  readonly content?: string | readonly { readonly text?: string | undefined }[] | null | undefined
}

/** The product of such a task. */
const PRODUCT =
  '(?:title|name|headline|label|heading|tags?|topics?|keywords?|emoji|summary|follow[- ]?ups?(?: questions?)?|questions? (?:the user|to ask)|search quer(?:y|ies)|autocompletion|caption)'
/** Its subject: the conversation itself, never something in the person's own work. */
const SUBJECT =
  '(?:this|the) (?:(?:following|above|previous|given|entire|whole|current) )?(?:(?:chat|message) history|chat|conversation|thread|session|dialog(?:ue)?|discussion|exchange)s?'
const VERB =
  '(?:generate|create|write|give|suggest|propose|provide|produce|come up with|return|reply with|respond with|output|choose|pick|summari[sz]e|name|title|determine|analy[sz]e|categori[sz]e|continue)'
/** Allowed text after the subject: "the conversation page" is something else. */
const END = String.raw`(?=\s*(?:$|[.,:;!?\n(]|above|below|so far|based|that|in\b|using|with|as\b|and\b|between))`

/** An instruction at the start of a sentence: verb, product, and the whole conversation. */
const INSTRUCTION = new RegExp(
  String.raw`(?:^|\n|[.:!]\s)\W{0,8}(?:please |now |your (?:task|job) is to |you (?:must|should|will) )?${VERB}\b[^\n]{0,120}?\b${PRODUCT}\b[^\n]{0,120}?\b${SUBJECT}${END}`,
  'i',
)
/** The same in reverse order: "Based on the chat history, give this conversation a name." */
const REVERSED = new RegExp(String.raw`(?:^|\n|[.:!,]\s)\W{0,8}${VERB} ${SUBJECT}[^\n]{0,40}?\b${PRODUCT}\b`, 'i')
/** A transcript, in the form in which clients quote the conversation. */
const TRANSCRIPT =
  /<(chat_history|conversation|chat|transcript|messages|dialogue|history|session)>[\s\S]*<\/\1>|^(?:USER|Human|User)\s*:\s[\s\S]*^(?:ASSISTANT|Assistant|AI)\s*:\s/m
const REQUEST = new RegExp(String.raw`\b${VERB}\b[^\n]{0,120}?\b${PRODUCT}\b`, 'i')
/** A system prompt that makes the model a tool of the client, such as "You are a title generator." */
const ROLE =
  /\byou(?:'re| are) (?:an? |the )?(?:[\w-]+ ){0,5}?(?:title|tag|topic|follow-?up|summary|emoji|autocompletion|query)(?:[- ]\w+)? (?:generator|generation|creator|maker|writer|extractor|assistant|system|agent)\b|\boutput only (?:an? |the )?(?:[\w-]+ ){0,3}title\b/i

/**
 * Number of characters examined at each end of a message: the instruction is at the beginning or end, the transcript in
 * between.
 */
const EDGE = 2000
/** A longer system prompt belongs to an agent, which may mention titles among many other things. */
const MAX_SYSTEM = 6000

/**
 * Whether the latest message is a background task.
 * @param hasTools whether the request offers tools; background tasks never do
 */
export function isBackgroundTask(messages: readonly Message[], hasTools: boolean): boolean {
  if (hasTools) return false
  const system = messages.find(({ role }) => role === 'system' || role === 'developer')
  const role = system ? textOf(system) : ''
  if (role.length <= MAX_SYSTEM && ROLE.test(role.slice(0, EDGE))) return true
  const latest = messages.findLast(({ role }) => role === 'user')
  if (!latest) return false
  const text = textOf(latest)
  const edges = text.length <= 2 * EDGE ? text : `${text.slice(0, EDGE)}\n${text.slice(-EDGE)}`
  if (INSTRUCTION.test(edges) || REVERSED.test(edges)) return true
  return REQUEST.test(edges) && TRANSCRIPT.test(edges)
}

function textOf({ content }: Message): string {
  return typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('\n')
}

/**
 * Stored text that speaks to the model instead of informing it: found, named, and kept from ending its own delimiters.
 *
 * Finding is a warning, not a defence: who writes differently is not found. The defence is that stored text always stands
 * between delimiters that it can't close, under a line that says whose words it is. Pure functions, linear in the length.
 * @module
 */

/** What a text may be suspected of. */
export const SUSPICIONS = [
  'override',
  'role',
  'delimiter',
  'disclosure',
  'concealment',
  'action',
  'hidden_text',
] as const
export type Suspicion = (typeof SUSPICIONS)[number]

const SIGNS: Readonly<Record<Suspicion, RegExp>> = {
  override:
    /\b(?:ignore|disregard|forget|override|bypass|skip|drop)\b.{0,30}\b(?:previous|prior|above|earlier|preceding|existing|all|any|your|system|original|the)\b.{0,30}\b(?:instructions?|prompts?|rules?|guidelines?|directives?|context|policy|policies|constraints?|safety|training)\b|\b(?:new|updated|real|actual) (?:system )?(?:instructions?|directives?)\s{0,3}:|\binstead,? (?:you must|do the following|only (?:say|answer|reply))/i,
  role: /\b(?:you are now|from now on,? you|act as (?:an?|the) (?:unrestricted|unfiltered|evil|jailbroken|root|admin|developer)|pretend (?:to be|that you)|enter (?:developer|debug|admin|god|dan) mode|(?:developer|dan|god) mode (?:is )?(?:on|enabled|activated)|jailbreak)|^\s{0,8}(?:#{1,4}\s{0,3})?(?:system|assistant|developer)\s{0,3}(?:message|prompt|override)?\s{0,3}:/im,
  delimiter:
    /<\s{0,3}\/?\s{0,3}(?:context|system|instructions?|assistant|user|tool_(?:call|result)|function_(?:calls?|results?))\b|<\|[\w ]{1,40}\|>|\[\/?INST\]|<<\/?SYS>>|<(?:start|end)_of_turn>|\bend of (?:reference material|context|document|data)\b/i,
  disclosure:
    /\b(?:reveal|print|repeat|show|output|leak|disclose|send|post|upload|exfiltrate|email|forward|append|include)\b.{0,40}\b(?:system prompt|hidden prompt|initial prompt|instructions above|api[ _-]?keys?|passwords?|secrets?|credentials?|tokens?|environment variables?|env vars?|conversation history|private data|\.env)\b/i,
  concealment:
    /\b(?:do not|don't|never|without) (?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|reveal(?:ing)?|notify(?:ing)?|show(?:ing)?|alert(?:ing)?)\b.{0,40}\b(?:the )?(?:user|human|person|anyone|operator|this)\b/i,
  action:
    /\b(?:you must|immediately|now|please|first|then|also|always|assistant,?|ai,?) (?:call|invoke|use|run|execute|trigger)\b.{0,30}\b(?:tools?|functions?|command|shell|delete_\w{2,30}|create_\w{2,30}|update_\w{2,30}|revoke_\w{2,30}|curl|wget|rm -rf)\b|\b(?:curl|wget)\b.{0,120}\|\s{0,3}(?:ba|z)?sh\b/i,
  hidden_text: /[\u200b\u2060\u202a-\u202e\u2066-\u2069]{2}|[\u{e0020}-\u{e007f}]{2}/u,
}

/** What a text is suspected of; empty: nothing. */
export function suspectedInstructions(text: string): Suspicion[] {
  return SUSPICIONS.filter((suspicion) => SIGNS[suspicion].test(text))
}

/** Characters that a person doesn't see and a model reads: zero width, direction overrides, tags. */
const INVISIBLE = /[\u200b\u2060\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu

/** Marks by which chat templates tell who is speaking, and our own delimiters. */
const MARKS =
  /<(?=\s{0,3}\/?\s{0,3}context\b)|<(?=\|[\w ]{1,40}\|>)|\[(?=\/?INST\])|<(?=<\/?SYS>>)|<(?=(?:start|end)_of_turn>)|<(?=\/?(?:s|bos|eos)>)/gi

/** A text whose marks no longer mark anything, as they begin with a look-alike; invisible characters are gone. */
export function neutralise(text: string): string {
  return text.replace(INVISIBLE, '').replace(MARKS, (mark) => (mark === '[' ? '\u2045' : '\u2039'))
}

/** {@link neutralise}, for text that stands between `<name>` and `</name>` of each name, which it can't close either. */
export function neutraliseWithin(text: string, names: readonly string[]): string {
  const delimiters = new RegExp(`<(?=\\s{0,3}/?\\s{0,3}(?:${names.join('|')})\\b)`, 'gi')
  return neutralise(text).replace(delimiters, '\u2039')
}

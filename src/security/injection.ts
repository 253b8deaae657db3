/**
 * Detects stored text that addresses the model instead of informing it, and prevents it from closing its delimiters.
 *
 * Detection is a warning, not a defence: differently worded attacks are not found. The defence is that stored text is
 * always enclosed in delimiters that it can neither close nor guess, with a line that names its source. Functions are
 * linear in the length, and pure, except that {@link suspicionsOf} remembers the result for an item.
 * @module
 */

/** The kinds of suspicious text. */
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
    /<\s{0,3}\/?\s{0,3}(?:context|system|instructions?|assistant|user|tool_(?:call|result)|function_(?:calls?|results?))\b|[<[][|｜][^<>\n]{1,60}[|｜][>\]]|\[\/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]|<\/think>|<<\/?SYS>>|<(?:start|end)_of_turn>|\bend of (?:reference material|context|document|data)\b/i,
  disclosure:
    /\b(?:reveal|print|repeat|show|output|leak|disclose|send|post|upload|exfiltrate|email|forward|append|include)\b.{0,40}\b(?:system prompt|hidden prompt|initial prompt|instructions above|api[ _-]?keys?|passwords?|secrets?|credentials?|tokens?|environment variables?|env vars?|conversation history|private data|\.env)\b/i,
  concealment:
    /\b(?:do not|don't|never|without) (?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|reveal(?:ing)?|notify(?:ing)?|show(?:ing)?|alert(?:ing)?)\b.{0,40}\b(?:the )?(?:user|human|person|anyone|operator|this)\b/i,
  action:
    /\b(?:you must|immediately|now|please|first|then|also|always|assistant,?|ai,?) (?:call|invoke|use|run|execute|trigger)\b.{0,30}\b(?:tools?|functions?|command|shell|delete_\w{2,30}|create_\w{2,30}|update_\w{2,30}|revoke_\w{2,30}|curl|wget|rm -rf)\b|\b(?:curl|wget)\b.{0,120}\|\s{0,3}(?:ba|z)?sh\b/i,
  hidden_text:
    /[\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\u00ad\u3164\ufeff]{2}|[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{3}|[\u{e0020}-\u{e007f}]{2}/u,
}

/** The suspicions about a text; empty: none. */
export function suspectedInstructions(text: string): Suspicion[] {
  return SUSPICIONS.filter((suspicion) => SIGNS[suspicion].test(text))
}

const known = new WeakMap<object, Suspicion[]>()

/** The suspicions about an item, title included. Examined once, because several parts of an answer ask. */
export function suspicionsOf(item: { readonly title: string; readonly body: string }): Suspicion[] {
  const before = known.get(item)
  if (before) return before
  const found = suspectedInstructions(`${item.title}\n${item.body}`)
  known.set(item, found)
  return found
}

/**
 * Characters that are invisible to people but read by models: soft hyphens, zero width, direction overrides, fillers,
 * variation selectors, tags (Unicode's Default_Ignorable_Code_Point), direction marks, and control characters other
 * than tab and line ends.
 */
const INVISIBLE = /(?![\t\n\r])[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/gu
const ESCAPE = String.fromCharCode(27)
/** Escape sequences of terminals, ECMA-48 5.4 and 5.6. */
const ANSI_ESCAPE = new RegExp(`${ESCAPE}(?:\\[[0-?]{0,30}[ -/]{0,5}[@-~]|\\][^\\p{Cc}]{0,200})`, 'gu')

const TAG = '[<\u2039\ufe64\uff1c](?=\\s{0,20}[/\u2044\u2215\uff0f]?\\s{0,20}'
/**
 * Role markers of chat templates, as classes instead of a list: `<|…|>` and `[|…|]` with either bar (Qwen, Llama, Phi,
 * Cohere, DeepSeek, EXAONE, Harmony), `<word|>` and `<|word>` (Gemma 4), `[INST]` and other capitalised words of
 * Mistral, tags of tools and of thinking, begin and end of text, MiniMax's `]~b]`; and our own delimiters in any
 * spelling.
 */
const MARKS = new RegExp(
  [
    `${TAG}context)`,
    `${TAG}(?:(?:tool|function)_?(?:calls?|results?|responses?|outputs?)|invoke|tools|think|thinking|(?:start|end)_(?:of_\\w{1,20}|function_\\w{1,20})|unused\\d{1,3}|extra_id_\\d{1,3}|[bes]os|eo[tpdm]|so[pm]|pad|unk|mask|s|/?SYS)\\s{0,20}/?[>\uff1e])`,
    '<(?=/?[a-z]{1,12}:(?:function_calls|invoke|parameter|thinking)\\b)',
    '[<\uff1c](?=[|\uff5c][^<>\\n]{0,80}[>\uff1e])',
    '[<\uff1c](?=/?[\\w\u2581-]{1,80}[|\uff5c][>\uff1e])',
    '<(?=<\\/?SYS>>)',
    '\\[(?=[|\uff5c][^\\[\\]\\n]{1,60}[|\uff5c]\\])',
    '\\[(?=\\/?(?:[A-Z_]{0,20}(?:INST|SYSTEM|TOOL|PROMPT|THINK|CONTROL_\\d|[gs]MASK)[A-Z_]{0,20}|gMASK|sMASK|ARGS|CALL_ID|IMG|IMG_BREAK|IMG_END)\\])',
    '\\](?=~[!b]?\\w{0,12}[\\]\\[])|\\[(?=e~\\[)',
  ].join('|'),
  'gu',
)
/** {@link MARKS} in lower or mixed case. */
const MARKS_ANY_CASE = new RegExp(`${TAG}context)|<(?=/?(?:start|end)_of_turn>)`, 'giu')

const lookAlike = (mark: string) => (mark === '[' ? '\u2045' : mark === ']' ? '\u2046' : '\u2039')

/**
 * Replaces the first character of each marker with a look-alike, so that it no longer works, and removes invisible
 * characters and escape sequences.
 */
export function neutralise(text: string): string {
  return text
    .replace(ANSI_ESCAPE, '')
    .replace(INVISIBLE, '')
    .replace(MARKS, lookAlike)
    .replace(MARKS_ANY_CASE, lookAlike)
}

/** {@link neutralise} for one line, such as a title: every kind of line break and white space becomes a space. */
export function neutraliseLine(text: string): string {
  return neutralise(text.replace(/[\s\u0085]+/g, ' ')).trim()
}

/**
 * {@link neutralise} for text that is enclosed in `<name>` and `</name>` for each name. The text can't close these
 * either.
 */
export function neutraliseWithin(text: string, names: readonly string[]): string {
  const delimiters = new RegExp(`${TAG}(?:${names.join('|')})\\b)`, 'giu')
  return neutralise(text).replace(delimiters, '\u2039')
}

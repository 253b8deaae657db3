/**
 * Derives the outcome of an answer from the person's next message. Only a plain English verdict at the start of the
 * message counts; otherwise the outcome is unknown. Pure functions.
 * @module
 */

/** Words before a verdict, or after it in the same sentence, that don't change it. */
const COURTESY =
  '(?:ok(?:ay)?|yes|yeah|yep|no|nope|great|perfect|nice|cool|awesome|excellent|thanks(?: a lot| so much)?|thank you(?: very much| so much)?|cheers|sorry|ah|hm+)'
const NEGATION = "(?:did ?n['o]?t|does ?n['o]?t|doesnt|didnt|does not|did not)"
const ANSWER = '(?:that|this|it)'

const SUCCESS = new RegExp(
  `^(?:${[
    `(?:${ANSWER}(?: all)? |now (?:it |that )?)?(?:works|worked)(?: now| great| perfectly| fine| well| again| as expected)?`,
    `${ANSWER} (?:fixed|solved) (?:it|that|the (?:problem|issue|bug|error))`,
    `${ANSWER} did (?:it|the trick)`,
    `(?:${ANSWER} |that all |all )?looks (?:good|great|right|correct|perfect)(?: to me| now)?`,
    'lgtm',
    `${ANSWER}(?:'s| is) (?:correct|right|exactly (?:right|what i (?:needed|wanted|meant)))`,
    `(?:all )?(?:the )?tests (?:all )?pass(?: now| again)?`,
    `(?:problem|issue|bug) (?:is )?(?:solved|fixed|gone)`,
  ].join('|')})$`,
)
const FAILURE = new RegExp(
  `^(?:${[
    `${ANSWER} ${NEGATION} (?:work|help|fix (?:it|that|anything|the (?:problem|issue|bug|error))|solve (?:it|that|the (?:problem|issue)))(?: at all| either| yet| for me| here)?`,
    `(?:${ANSWER} )?(?:is )?still (?:fails?|failing|broken|breaks|not working|wrong|crash(?:es|ing)|(?:${NEGATION} )work)(?: for me| here| (?:with|in) (?:exactly )?the same (?:error|way|message))?`,
    `(?:${ANSWER}(?:'s| is) )(?:all )?(?:wrong|incorrect|not right|not correct|not what i (?:asked(?: for)?|wanted|meant|need(?:ed)?))`,
    `${ANSWER}(?:'s| is) (?:not working|broken)(?: now)?`,
    `same (?:error|problem) (?:again|as before|still)`,
  ].join('|')})$`,
)
/** A request that may follow a verdict in the same sentence: "that works, now add a test". */
const NEXT = /^(?:and )?(?:now|next|then|please|let's|commit|go ahead|can you|could you)\b/
/** If one of these occurs in the rest of a message, praise is doubtful. */
const DOUBT =
  /\b(?:but|however|except|although|though|almost|only|unless|until|fail\w*|error\w*|crash\w*|broken?|breaks?|wrong|still|bug\w*|again|wait|no longer|revert|undo|problem\w*|issue\w*|sometimes|partly|not|never|cannot)\b|n't\b/
/** These withdraw a complaint. */
const WITHDRAWN = /\b(?:never ?mind|my (?:mistake|bad|fault)|sorry|oh wait|wait|works now|it works|forget it)\b/

/**
 * Whether a message plainly states that the previous answer was right or wrong.
 * @param {string} message
 * @returns {'success' | 'failure' | null}
 */
export function outcomeOfReply(message) {
  const text = message
    .slice(0, 2000)
    .toLowerCase()
    .replace(/[\u2018\u2019\u02BC\u00B4`]/g, "'")
    .replace(/[^\S\n]+/g, ' ')
    .trim()
  const [, sentence = '', end = ''] = /^([^.!?;\n]*)([.!?;\n]*)/.exec(text) ?? []
  // A question is not a verdict.
  if (end.includes('?')) return null
  const rest = text.slice(sentence.length + end.length)
  const clauses = sentence.split(/ *(?:,|:|\u2014| - ) */).filter((clause) => clause !== '')
  while (clauses.length > 1 && isCourtesy(clauses[0])) clauses.shift()
  const verdict = (clauses.shift() ?? '').replace(
    new RegExp(`^(?:${COURTESY} )+(?=${ANSWER}\\b|still\\b|works\\b)`),
    '',
  )
  if (FAILURE.test(verdict)) return WITHDRAWN.test(`${clauses.join(' ')} ${rest}`) ? null : 'failure'
  const plain = verdict.replace(new RegExp(` (?:${COURTESY})$`), '')
  if (!SUCCESS.test(plain)) return null
  if (clauses.some((clause) => !isCourtesy(clause) && !NEXT.test(clause))) return null
  return DOUBT.test(`${clauses.join(' ')} ${rest}`) ? null : 'success'
}

function isCourtesy(clause) {
  return new RegExp(`^(?:${COURTESY} ?)+$`).test(clause)
}

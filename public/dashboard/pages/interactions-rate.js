/** The queue for rating answers by keyboard, and a conversation as a thread. */
import { get, post } from '../api.js'
import { card, fill, h } from '../dom.js'
import { ago, beginning, count, outcomeMark } from '../format.js'
import { act, empty, toast } from '../parts.js'
import { markdown } from '../text.js'

const QUEUE = 20
const CHOICES = [
  ['1', 'success', 'Worked'],
  ['2', 'partial', 'In part'],
  ['3', 'failure', 'Failed'],
]

/** The latest answers without an outcome, one after another. */
export async function rate(root, { project, title }) {
  title('Rate the last twenty')
  const { interactions: queue } = await get('/interactions', { project, outcome: 'none', limit: QUEUE })
  const holder = h('div', { 'aria-live': 'polite' })
  const back = h('p', {}, h('a', { href: '#/interactions' }, '← All interactions'))
  let at = 0
  let rated = 0
  const show = async () => {
    const next = queue[at]
    if (!next) {
      fill(
        holder,
        queue.length === 0
          ? empty('Every answer has an outcome.')
          : empty(`Done: ${count(rated)} of ${count(queue.length)} rated. The scores follow in a moment.`),
      )
      return
    }
    const whole = next.truncated ? await get(`/interactions/${next.interaction_id}`) : next
    const buttons = CHOICES.map(([key, outcome, label]) =>
      h(
        'button',
        { type: 'button', 'data-key': key, onclick: (event) => act(event.currentTarget, () => report(next, outcome)) },
        label,
        ' ',
        h('kbd', {}, key),
      ),
    )
    fill(
      holder,
      h('p.muted', {}, `${at + 1} of ${queue.length}, `, ago(next.created_at), `, ${next.model_used}`),
      h(
        'div.row.rating',
        {},
        ...buttons,
        h('button', { type: 'button', 'data-key': 's', onclick: skip }, 'Skip ', h('kbd', {}, 'S')),
        h('a.button', { href: `#/interactions/${next.interaction_id}` }, 'Open'),
      ),
      card('Question', h('pre.text', { tabindex: '0' }, whole.query)),
      card('Answer', markdown(whole.response)),
    )
  }
  const report = async ({ interaction_id: id }, outcome) => {
    await post('/update_outcome', { interaction_id: id, outcome })
    rated++
    at++
    await show()
  }
  const skip = () => {
    at++
    show().catch((error) => toast(error.message, 'bad'))
  }
  const press = (event) => {
    if (!holder.isConnected) {
      document.removeEventListener('keydown', press)
      return
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, textarea, select')) return
    holder.querySelector(`button[data-key="${CSS.escape(event.key.toLowerCase())}"]:not([disabled])`)?.click()
  }
  fill(root, back, holder)
  await show()
  // The page is inserted after this function returns.
  setTimeout(() => document.addEventListener('keydown', press))
}

/** A conversation with its turns in order. */
export async function thread(root, { project, title }, id) {
  title('Conversation')
  const turns = []
  let cursor
  let more = true
  while (more && turns.length < 200) {
    const page = await get('/interactions', { project, conversation_id: id, order: 'oldest', limit: 50, cursor })
    turns.push(...page.interactions)
    cursor = page.next_cursor
    more = cursor !== null
  }
  fill(
    root,
    h('p', {}, h('a', { href: '#/interactions' }, '← All interactions')),
    h(
      'p.muted',
      {},
      `${id}: ${turns.length === 1 ? '1 turn' : `${count(turns.length)}${more ? ' or more' : ''} turns`}`,
    ),
    turns.length === 0
      ? empty('No interaction of this conversation is among the latest 10,000.')
      : h(
          'ol.thread',
          {},
          ...turns.map((turn) =>
            h(
              'li',
              {},
              h('div.said', {}, h('pre.text', {}, turn.query)),
              h('div.answered', {}, markdown(turn.response)),
              h(
                'p.muted',
                {},
                outcomeMark(turn.outcome),
                ` ${turn.model_used}, `,
                ago(turn.created_at),
                ' ',
                h(
                  'a',
                  { href: `#/interactions/${turn.interaction_id}`, 'aria-label': `Open: ${beginning(turn.query, 60)}` },
                  turn.truncated ? 'Open (cut here)' : 'Open',
                ),
              ),
            ),
          ),
        ),
  )
}

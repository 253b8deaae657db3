/** One interaction: the prompt as sent, its passages and the answer side by side, its outcome, and a correction. */
import { get, post } from '../api.js'
import { card, facts, field, fill, h, select } from '../dom.js'
import { ago, count, decimal, duration, figure, outcomeMark, percent } from '../format.js'
import { copyButton, explained, form, toast } from '../parts.js'
import { itemText, itemTitle, markdown, passage } from '../text.js'

const PARTS = {
  outcome: 'Outcome',
  feedback: 'Feedback',
  reusability: 'Reusability',
  complexity: 'Complexity',
  novelty: 'Novelty',
}

export async function one(root, { item, go, project, title }) {
  title('Interaction')
  const holder = h('div')
  const more = h('div')
  const links = h('span.row')
  let row
  let shown = null
  const load = async () => {
    row = await get(`/interactions/${item}`)
    shown ??= await passagesOf(row)
    fill(
      holder,
      h(
        'div.trace',
        {},
        card('Prompt as sent', prompt(row, shown)),
        card('Passages', ...passages(shown)),
        card('Answer', markdown(row.response), copyButton(row.response)),
      ),
    )
    fill(more, details(row))
  }
  await load()
  fill(
    root,
    h('div.row.spread', {}, h('a', { href: '#/interactions' }, '← All interactions'), links),
    holder,
    h('div.columns', {}, card('Outcome', outcomeForm(item, row, load)), card('Correction', correctionForm(row, go))),
    more,
  )
  neighbours(row, project).then(
    (found) => fill(links, found),
    () => undefined,
  )
  return load
}

/** The items shown for the answer in their current form, with the log's data if available. */
async function passagesOf({ project, contexts, retrieval }) {
  const logged = new Map((retrieval?.shown ?? []).map((entry) => [entry.context_id, entry]))
  const ids = [...new Set([...contexts.map(({ context_id: id }) => id), ...logged.keys()])]
  return Promise.all(
    ids.map(async (id) => ({
      id,
      item: await get(`/knowledge/items/${id}`, { project }).catch(() => null),
      logged: logged.get(id) ?? null,
    })),
  )
}

/** The prompt: the question with the added context. */
function prompt(row, shown) {
  const { retrieval } = row
  const titles = shown.map(({ item, id }, i) => h('li', { value: i + 1 }, item ? String(itemTitle(item)) : id))
  return h(
    'div',
    {},
    h('pre.text', { tabindex: '0' }, retrieval?.query ?? row.query),
    copyButton(row.query),
    titles.length > 0
      ? h('div', {}, h('h3', {}, 'With these passages'), h('ol.plain', {}, ...titles))
      : h(
          'p.muted',
          {},
          retrieval?.control ? 'Context was found and withheld, for the control group.' : 'Sent without context.',
        ),
    retrieval
      ? h(
          'p.muted',
          {},
          `${count(retrieval.tokens_added)} tokens of ${count(retrieval.token_budget)} added in ${count(Math.round(retrieval.latency_ms))} ms.`,
        )
      : titles.length > 0
        ? h('p.muted', {}, 'The answer named no retrieval, so the tokens are unknown.')
        : null,
  )
}

function passages(shown) {
  if (shown.length === 0) return [h('p.muted', {}, 'None.')]
  return [
    h('p.muted', {}, 'As they are stored now.'),
    ...shown.map(({ id, item, logged }) =>
      item
        ? passage({
            source: String(itemTitle(item)),
            text: itemText(item),
            href: `#/knowledge/${id}`,
            note: logged ? ` ${percent(logged.probability)}, ${count(logged.tokens)} tokens` : null,
            ...(item.collection !== 'codebase-context' && { prose: true }),
          })
        : h('p.muted', {}, `${id}: not stored any more.`),
    ),
  ]
}

function details(row) {
  const conversation = row.conversation_id
  return h(
    'div.columns',
    {},
    card(
      'Facts',
      facts([
        ['Outcome', outcomeMark(row.outcome)],
        ['Rating', row.user_feedback === null ? 'none' : String(row.user_feedback)],
        ['Agent', row.agent_type],
        ['Model', row.model_used],
        [
          explained('Tokens', 'Of prompt and answer, as the caller reported them.'),
          figure('interaction.tokens', row.tokens_used),
        ],
        ['Time', row.latency_ms < 1000 ? `${count(Math.round(row.latency_ms))} ms` : duration(row.latency_ms)],
        ['Tags', row.tags.join(', ') || 'none'],
        [
          'Variant',
          row.variant
            ? h('a', { href: `#/interactions?variant=${encodeURIComponent(row.variant)}` }, row.variant)
            : 'none',
        ],
        [
          'Conversation',
          conversation
            ? h('a', { href: `#/interactions/conversation/${encodeURIComponent(conversation)}` }, conversation)
            : 'none',
        ],
        ['Tracked', ago(row.created_at)],
      ]),
    ),
    card('Value score', score(row)),
    row.routing ? card('Routing', routing(row.routing)) : null,
    card(
      'History',
      row.history.length > 0
        ? h(
            'ol.plain',
            {},
            ...row.history.map(({ outcome, user_feedback: rating, at }) =>
              h('li', {}, outcomeMark(outcome), rating === null ? '' : ` rated ${rating}`, ' ', ago(at)),
            ),
          )
        : h('p.muted', {}, 'No outcome reported yet.'),
    ),
  )
}

/** Links to the previous and next interactions, and a button that copies this one's address. */
async function neighbours(row, project) {
  const around = async (order) => {
    const { interactions } = await get('/interactions', { project, order, cursor: row.interaction_id, limit: 1 })
    return interactions[0]?.interaction_id
  }
  const [newer, older] = await Promise.all([around('oldest'), around('newest')])
  return [
    newer ? h('a', { href: `#/interactions/${newer}` }, 'Newer') : null,
    older ? h('a', { href: `#/interactions/${older}` }, 'Older') : null,
    copyButton(() => location.href, 'Copy link'),
  ]
}

/** The reason for the choice of model. The probabilities are those estimated at the time. */
function routing({ route, backend, cause, model, fallbacks }) {
  const chance = ({ probability, low, high, cold_start: cold }) =>
    `${percent(probability)} [${percent(low)}, ${percent(high)}]${cold ? ', cold start' : ''}`
  return facts([
    ['Route', `${route}: ${cause.replaceAll('_', ' ')}`],
    ['Answered by', model ? `${backend}: ${model.cause.replaceAll('_', ' ')}` : backend],
    ...(model
      ? [
          ['Local succeeds', chance(model.local)],
          ['Remote succeeds', chance(model.remote)],
          ['Local from', percent(model.threshold)],
        ]
      : []),
    ...fallbacks.map(({ from, to, reason }) => [`From ${from} to ${to}`, reason]),
  ])
}

function score({ value_score: value, value_parts: parts, value_version: version }) {
  if (value === null) return h('p.muted', {}, 'Not scored yet: it needs an outcome or a rating.')
  return h(
    'div',
    {},
    h('p.big', {}, figure('interaction.value_score', value, decimal(value))),
    facts(
      Object.entries(parts ?? {})
        .filter(([, part]) => typeof part === 'number')
        .map(([name, part]) => [
          PARTS[name] ?? name.replaceAll('_', ' '),
          h(
            'span',
            {},
            h('meter', { min: 0, max: 0.4, value: part, 'aria-label': `${name}: ${part}` }),
            ` ${decimal(part, 3)}`,
          ),
        ]),
    ),
    h('p.muted', {}, `Formula ${version}`),
  )
}

function outcomeForm(id, { outcome: known, user_feedback: rated }, load) {
  const outcome = select(
    [...(known ? [] : [['', 'choose …']]), ['success', 'success'], ['partial', 'partial'], ['failure', 'failure']],
    known ?? '',
  )
  outcome.required = true
  const rating = select(
    [
      ['', 'no rating'],
      ['1', '+1'],
      ['0', '0'],
      ['-1', '−1'],
    ],
    rated === null || rated === undefined ? '' : String(rated),
  )
  const button = h('button.primary', { type: 'submit' }, 'Report')
  return form(
    'form.row',
    button,
    async () => {
      await post('/update_outcome', {
        interaction_id: id,
        outcome: outcome.value,
        ...(rating.value !== '' && { user_feedback: Number(rating.value) }),
      })
      toast('Reported. The score follows in a moment.')
      await load()
    },
    field('Outcome', outcome),
    field('Rating', rating),
    button,
  )
}

function correctionForm(row, go) {
  const text = h('textarea', { rows: 4, maxlength: 32000, required: true })
  const button = h('button', { type: 'submit' }, 'Store the correction')
  return form(
    'form.stack',
    button,
    async () => {
      await post('/learning_feedback', {
        project: row.project,
        query: row.query,
        correction: text.value,
        interaction_id: row.interaction_id,
      })
      text.value = ''
      toast('Stored. Similar questions get it from now on.')
      go(`#/interactions/${row.interaction_id}`)
    },
    field('Right answer', text, 'Similar questions get it from now on, and datasets export it as the better answer.'),
    button,
  )
}

/** What was asked and answered, and how it went. */
import { get, post } from '../api.js'
import { act, card, empty, field, fill, h, pager, select, table, toast } from '../dom.js'
import { ago, beginning, count, decimal, figure, outcomeMark, percent } from '../format.js'

export async function render(root, context) {
  return context.item ? one(root, context) : list(root, context)
}

async function list(root, { project }) {
  const results = h('div')
  const filters = {}
  const cursors = ['']
  const load = async () => {
    const { interactions, next_cursor: next } = await get('/interactions', {
      project,
      limit: 20,
      cursor: cursors.at(-1),
      ...filters,
    })
    const none = interactions.length === 0
    fill(
      results,
      none
        ? empty(
            Object.values(filters).some(Boolean)
              ? 'No interaction matches these filters.'
              : 'No interactions yet. Connect an agent:',
            Object.values(filters).some(Boolean) ? null : `npm run connect -- claude-code --project ${project}`,
          )
        : table(
            'Interactions, newest first',
            ['Query', 'Outcome', 'Value', 'Agent', 'Model', 'When'],
            interactions.map((row) => [
              h('a', { href: `#/interactions/${row.interaction_id}` }, beginning(row.query)),
              outcomeMark(row.outcome),
              decimal(row.value_score),
              row.agent_type,
              row.model_used,
              ago(row.created_at),
            ]),
          ),
      pager(cursors, next, load),
    )
  }
  const change = (name) => (event) => {
    filters[name] = event.target.value
    cursors.length = 1
    load().catch((error) => toast(error.message, 'bad'))
  }
  const any = ['', 'any']
  fill(
    root,
    h(
      'div.row.filters',
      {},
      field(
        'Outcome',
        select([any, ['success', 'success'], ['partial', 'partial'], ['failure', 'failure']], '', change('outcome')),
      ),
      field('Agent', select([any, ['remote', 'remote'], ['local', 'local']], '', change('agent_type'))),
      field('Variant', h('input', { type: 'search', onchange: change('variant'), maxlength: 100 })),
      field('Tag', h('input', { type: 'search', onchange: change('tags'), maxlength: 100 })),
    ),
    results,
  )
  await load()
  return () => (cursors.length === 1 ? load() : Promise.resolve())
}

const PARTS = {
  outcome: 'Outcome',
  feedback: 'Feedback',
  reusability: 'Reusability',
  complexity: 'Complexity',
  novelty: 'Novelty',
}

async function one(root, { item, go }) {
  const holder = h('div')
  let row
  const load = async () => {
    row = await get(`/interactions/${item}`)
    fill(
      holder,
      h('p', {}, h('a', { href: '#/interactions' }, '← All interactions')),
      card('Query', h('pre.text', { tabindex: '0' }, row.query)),
      card('Answer', h('pre.text', { tabindex: '0' }, row.response)),
      h(
        'div.columns',
        {},
        card(
          'Facts',
          h(
            'dl.figures',
            {},
            ...[
              ['Outcome', outcomeMark(row.outcome)],
              ['Rating', row.user_feedback === null ? 'none' : String(row.user_feedback)],
              ['Agent', row.agent_type],
              ['Model', row.model_used],
              ['Tokens', figure('interaction.tokens', row.tokens_used)],
              ['Time', `${count(row.latency_ms)} ms`],
              ['Tags', row.tags.join(', ') || 'none'],
              ['Variant', row.variant ?? 'none'],
              ['Conversation', row.conversation_id ?? 'none'],
              ['Tracked', ago(row.created_at)],
            ].flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
          ),
        ),
        card('Value score', score(row)),
      ),
      h(
        'div.columns',
        {},
        card(
          'Context that was given',
          row.contexts.length > 0
            ? h(
                'ol.plain',
                {},
                ...row.contexts.map(({ context_id: id }) => h('li', {}, h('a', { href: `#/knowledge/${id}` }, id))),
              )
            : h('p.muted', {}, 'None.'),
        ),
        card('Routing', routing(row.routing)),
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
      ),
    )
  }
  await load()
  fill(root, holder, card('Outcome', outcomeForm(item, row, load)), card('Correction', correctionForm(item, go)))
  return load
}

/** Why this model answered; the chances are as they were estimated then. */
function routing(decision) {
  if (!decision) return h('p.muted', {}, 'No routing decision was recorded for this answer.')
  const { route, backend, cause, model, fallbacks } = decision
  const chance = ({ probability, low, high, cold_start: cold }) =>
    `${percent(probability)} [${percent(low)}, ${percent(high)}]${cold ? ', cold start' : ''}`
  const facts = [
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
  ]
  return h('dl.figures', {}, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]))
}

function score({ value_score: value, value_parts: parts, value_version: version }) {
  if (value === null) return h('p.muted', {}, 'Not scored yet: it needs an outcome or a rating.')
  return h(
    'div',
    {},
    h('p.big', {}, figure('interaction.value_score', value, decimal(value))),
    h(
      'dl.figures',
      {},
      ...Object.entries(parts ?? {})
        .filter(([, part]) => typeof part === 'number')
        .flatMap(([name, part]) => [
          h('dt', {}, PARTS[name] ?? name.replaceAll('_', ' ')),
          h(
            'dd',
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
  return h(
    'form.row',
    {
      onsubmit: (event) => {
        event.preventDefault()
        act(button, async () => {
          await post('/update_outcome', {
            interaction_id: id,
            outcome: outcome.value,
            ...(rating.value !== '' && { user_feedback: Number(rating.value) }),
          })
          toast('Reported. The score follows in a moment.')
          await load()
        })
      },
    },
    field('Outcome', outcome),
    field('Rating', rating),
    button,
  )
}

function correctionForm(id, go) {
  const text = h('textarea', { rows: 4, maxlength: 100000, required: true })
  const button = h('button', { type: 'submit' }, 'Store the correction')
  return h(
    'form.stack',
    {
      onsubmit: (event) => {
        event.preventDefault()
        act(button, async () => {
          const row = await get(`/interactions/${id}`)
          await post('/learning_feedback', {
            project: row.project,
            query: row.query,
            correction: text.value,
            interaction_id: id,
          })
          text.value = ''
          toast('Stored. Similar questions get it from now on.')
          go(`#/interactions/${id}`)
        })
      },
    },
    field('Right answer', text),
    button,
  )
}

/** A query, and all that the coordinator would do with it. */
import { get, post } from '../api.js'
import { act, card, empty, field, fill, h, select, table } from '../dom.js'
import { count, decimal, percent } from '../format.js'

export async function render(root, { project }) {
  const { collections } = await get('/collections', { project })
  const query = h('textarea', {
    rows: 3,
    maxlength: 20000,
    required: true,
    id: 'query',
    placeholder: 'How do we retry uploads?',
  })
  const mode = select(
    [
      ['auto', 'auto'],
      ['hybrid', 'hybrid'],
      ['keyword', 'keyword'],
      ['semantic', 'semantic'],
    ],
    'auto',
  )
  const budget = h('input', { type: 'number', min: 0, max: 100000, step: 100, value: 2000 })
  const boxes = collections.map(({ name, items }) =>
    h(
      'label.check',
      {},
      h('input', {
        type: 'checkbox',
        name: 'collection',
        value: name,
        checked: items > 0 && name !== 'interaction-history',
      }),
      `${name} (${count(items)})`,
    ),
  )
  const button = h('button.primary', { type: 'submit' }, 'Show what would be sent')
  const result = h('div', { 'aria-live': 'polite', id: 'result' })
  const form = h(
    'form.stack',
    {
      onsubmit: (event) => {
        event.preventDefault()
        act(button, () => run(result, project, query.value, mode.value, Number(budget.value), chosen(boxes)))
      },
    },
    field('Query', query),
    h('div.row', {}, field('Search', mode), field('Token budget', budget)),
    h('fieldset', {}, h('legend', {}, 'Collections'), h('div.row', {}, ...boxes)),
    button,
    h('p.muted', {}, 'It is a real call: it counts as an augmentation of this project.'),
  )
  const known = collections.some(({ items }) => items > 0)
  fill(
    root,
    known
      ? null
      : empty(
          'There is nothing to find yet. Begin with your own code:',
          `npm run ingest -- ~/code/my-project --project ${project}`,
        ),
    card('Query', form),
    result,
  )
}

const chosen = (boxes) =>
  boxes
    .map((box) => box.querySelector('input'))
    .filter(({ checked }) => checked)
    .map(({ value }) => value)

async function run(result, project, query, mode, token_budget, collections) {
  const some = collections.length > 0 ? { collections } : {}
  const [augmented, routed, found] = await Promise.all([
    post('/augment_query', { project, query, token_budget, ...some }),
    post('/query', { project, query, mode, limit: 10, ...some }),
    post('/hybrid_search', { project, query, limit: 20, mode: mode === 'auto' ? 'hybrid' : mode, ...some }),
  ])
  const parts = new Map(found.combined_results.map((item) => [item.context_id, item]))
  fill(
    result,
    card(
      'What would be sent',
      h(
        'p',
        {},
        augmented.context_count > 0
          ? `${count(augmented.context_count)} passages, ${count(augmented.token_count)} of ${count(augmented.token_budget)} tokens (${augmented.tokenizer}), in ${augmented.latency_ms} ms.`
          : `Nothing: ${(augmented.absence_reason ?? 'nothing_relevant').replaceAll('_', ' ')}.`,
      ),
      h(
        'p.muted',
        {},
        `Probability that anything found answers it: ${percent(augmented.answer_probability)}; the bar is ${percent(augmented.relevance_threshold)}.`,
      ),
      augmented.contexts.length > 0
        ? table(
            'Passages',
            ['', 'Source', 'Why', 'Relevance', 'Words', 'Meaning', 'Record', 'Tokens'],
            augmented.contexts.map((context) => passage(context, parts.get(context.context_id))),
          )
        : null,
      h(
        'details',
        {},
        h('summary', {}, 'The prompt as the model gets it'),
        h('pre.prompt', { tabindex: '0' }, augmented.augmented_prompt),
      ),
      augmented.suggestions.length > 0 ? h('p.muted', {}, `Ask next about: ${augmented.suggestions.join(', ')}`) : null,
    ),
    card('Route', decision(routed)),
    card(
      'Everything found',
      found.combined_results.length > 0
        ? table(
            'Search results',
            ['Item', 'Collection', 'Relevance', 'Words', 'Meaning'],
            found.combined_results.map((item) => [
              h('a', { href: `#/knowledge/${item.context_id}` }, item.key),
              item.collection,
              percent(item.score),
              scoreOf(item.breakdown.keyword),
              scoreOf(item.breakdown.semantic),
            ]),
          )
        : h('p', {}, 'Nothing.'),
    ),
  )
}

const scoreOf = (part) => (part ? `${decimal(part.score)} (no. ${part.rank})` : '–')

function passage(context, item) {
  const { keyword, semantic, credit } = item?.breakdown ?? {}
  const why = [
    keyword ? `holds ${percent(keyword.coverage)} of what the words say` : null,
    semantic ? `no. ${semantic.rank} by meaning` : null,
    credit ? (credit > 0 ? 'helped before' : 'failed before') : null,
  ].filter(Boolean)
  return [
    h('span.nowrap', {}, `[${context.number}]`),
    h(
      'span',
      {},
      h('a', { href: `#/knowledge/${context.context_id}` }, context.title || context.context_id),
      h('br'),
      h('span.muted', {}, context.collection),
    ),
    why.join('; ') || 'beside what was found',
    percent(context.probability),
    scoreOf(keyword),
    scoreOf(semantic),
    credit ? decimal(credit) : '–',
    `${count(context.tokens)} (whole: ${count(context.tokens_whole)})`,
  ]
}

function decision({ route, backend, decision }) {
  const rows = []
  const walk = (value, name) => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, name ? `${name}.${key}` : key)
    } else
      rows.push([
        name,
        Array.isArray(value)
          ? value.join(', ')
          : typeof value === 'number'
            ? String(Number(value.toFixed(4)))
            : String(value),
      ])
  }
  walk(decision, '')
  return h(
    'div',
    {},
    h('p', {}, 'Search: ', h('strong', {}, route), '; answered by: ', h('strong', {}, backend), '.'),
    h(
      'details',
      { open: true },
      h('summary', {}, 'The decision record'),
      table('Decision record', ['Signal', 'Value'], rows),
    ),
  )
}

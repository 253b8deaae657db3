/** Ask as an agent would: the passages it gets, and why; when there are none, what came closest. */
import { get, post } from '../api.js'
import { act, card, empty, field, fill, h, select, table } from '../dom.js'
import { count, decimal, percent } from '../format.js'

export async function render(root, { project, item }) {
  const { collections } = await get('/collections', { project })
  const query = h('textarea', {
    rows: 3,
    maxlength: 20000,
    required: true,
    id: 'query',
    value: item ?? '',
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
  const button = h('button.primary', { type: 'submit' }, 'Ask')
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
    h(
      'details',
      {},
      h('summary', {}, 'Options'),
      h('div.row', {}, field('Search', mode), field('Token budget', budget)),
      h('fieldset', {}, h('legend', {}, 'Collections'), h('div.row', {}, ...boxes)),
    ),
    button,
    h('p.muted', {}, 'This is logged like any prompt.'),
  )
  const known = collections.some(({ items }) => items > 0)
  fill(
    root,
    known
      ? null
      : empty(
          'This project is empty. Read your code first:',
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
    augmented.context_count > 0
      ? card(
          'What the agent gets',
          h(
            'p',
            {},
            `${passages(augmented.context_count)}, ${count(augmented.token_count)} of ${count(augmented.token_budget)} tokens, in ${count(Math.round(augmented.latency_ms))} ms. Probability that they answer it: ${percent(augmented.answer_probability)}.`,
          ),
          ...blocksOf(augmented).map(block),
        )
      : nothing(augmented, query),
    card(
      'Why',
      augmented.contexts.length > 0
        ? table(
            'Passages',
            ['', 'Source', 'Why', 'Relevance', 'Tokens'],
            augmented.contexts.map((context) => passage(context, parts.get(context.context_id))),
          )
        : h('p.muted', {}, 'No passage was chosen.'),
      h(
        'details',
        {},
        h('summary', {}, 'The prompt as the model gets it'),
        h('pre.prompt', { tabindex: '0' }, augmented.augmented_prompt),
      ),
      decision(routed),
    ),
    card(
      'Everything found',
      found.combined_results.length > 0
        ? table(
            'Search results',
            ['Item', 'Collection', 'Relevance', 'Words', 'Meaning'],
            found.combined_results.map((item) => [
              h('a', { href: `#/knowledge/${item.context_id}` }, item.fields?.file_path ?? item.title ?? item.key),
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

const passages = (n) => (n === 1 ? '1 passage' : `${count(n)} passages`)

/** The passages of a prompt: source line and text, as they stand between their delimiters. */
function blocksOf({ augmented_prompt: prompt, contexts }) {
  const found = [...prompt.matchAll(/<(context-\w+)>\n\[(\d+)\] (.*)\n([\s\S]*?)\n<\/\1>/g)]
  return found.map(([, , number, source, text]) => ({
    source,
    text,
    context: contexts.find((context) => context.number === Number(number)),
  }))
}

/** One passage: where it is from, and its lines with their numbers. */
function block({ source, text, context }) {
  const first = Number(/:(\d+)/.exec(source)?.[1] ?? 0)
  const lines = text.split('\n')
  const numbered = first > 0 && !text.includes('\n…\n')
  return h(
    'figure.passage',
    {},
    h('figcaption', {}, context ? h('a', { href: `#/knowledge/${context.context_id}` }, source) : source),
    h(
      'pre.code',
      { tabindex: '0' },
      ...lines.map((line, i) =>
        h(
          'span.line',
          {},
          numbered ? h('span.number', { 'aria-hidden': 'true' }, String(first + i)) : null,
          `${line}\n`,
        ),
      ),
    ),
  )
}

/** Silence: how far the nearest passages fall short, and a way to write the answer down. */
function nothing(augmented, query) {
  const { nearest = [], answer_probability: best, relevance_threshold: needed, absence_reason: reason } = augmented
  return card(
    'No context was added',
    h(
      'p',
      {},
      reason === 'nothing_relevant'
        ? `The best match has ${percent(best)}; ${percent(needed)} is needed.`
        : `Reason: ${String(reason).replaceAll('_', ' ')}.`,
    ),
    nearest.length > 0
      ? table(
          'Nearest passages',
          ['Nearest', 'Match', 'Short by'],
          nearest.map((entry) => [
            h('a', { href: `#/knowledge/${entry.context_id}` }, entry.title),
            percent(entry.probability),
            percent(entry.short_by),
          ]),
        )
      : null,
    h(
      'p',
      {},
      h(
        'a.button',
        { href: `#/knowledge/best-practices/new/${encodeURIComponent(query.slice(0, 500))}` },
        'Write the answer down',
      ),
    ),
  )
}

const scoreOf = (part) => (part ? `${decimal(part.score)} (no. ${part.rank})` : '–')

function passage(context, item) {
  const { keyword, semantic, credit } = item?.breakdown ?? {}
  const why = [
    keyword ? `matches ${percent(keyword.coverage)} of the keywords` : null,
    semantic ? `${semantic.rank === 1 ? 'best' : `no. ${semantic.rank}`} by meaning` : null,
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
    why.join('; ') || 'next to what was found',
    percent(context.probability),
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
    h('details', {}, h('summary', {}, 'The routing decision'), table('Decision record', ['Signal', 'Value'], rows)),
  )
}

/**
 * Asks a question like an agent: shows the passages and the reasons for them, or the nearest results if there are none.
 */
import { get, post } from '../api.js'
import { card, field, fill, h, select, table } from '../dom.js'
import { beginning, count, decimal, percent } from '../format.js'
import { copyButton, empty, explained, form } from '../parts.js'
import { keepJson, keptJson } from '../store.js'
import { itemText, itemTitle, passage } from '../text.js'

/** Number of questions stored in this browser. */
const REMEMBERED = 8

export async function render(root, { project, item, query: address, setQuery }) {
  const { collections } = await get('/collections', { project })
  const query = h('textarea', {
    rows: 3,
    maxlength: 20000,
    required: true,
    id: 'query',
    value: address.get('q') ?? item ?? '',
    placeholder: 'How do we retry uploads?',
  })
  const mode = select(
    ['auto', 'hybrid', 'keyword', 'semantic'].map((name) => [name, name]),
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
  const recent = h('div')
  const ask = async (threshold) => {
    setQuery({ q: query.value.slice(0, 500), project })
    remember(project, query.value)
    showRecent()
    fill(result, h('p.loading', {}, 'Searching…'))
    try {
      await run(result, {
        project,
        query: query.value,
        mode: mode.value,
        budget: Number(budget.value),
        boxes,
        threshold,
        ask,
      })
    } catch (error) {
      fill(result)
      throw error
    }
  }
  const showRecent = () => {
    const questions = remembered(project).filter((text) => text !== query.value)
    fill(
      recent,
      questions.length > 0
        ? h(
            'details',
            {},
            h('summary', {}, 'Earlier questions'),
            h(
              'ul.plain',
              {},
              ...questions.map((text) =>
                h('li', {}, h('a', { href: `#/try-it/${encodeURIComponent(text.slice(0, 500))}` }, beginning(text))),
              ),
            ),
          )
        : null,
    )
  }
  fill(
    root,
    collections.some(({ items }) => items > 0)
      ? null
      : empty(
          'This project is empty. Read your code first:',
          `npm run ingest -- ~/code/my-project --project ${project}`,
        ),
    card(
      'Ask as an agent would',
      form(
        'form.stack',
        button,
        () => ask(),
        field('Question', query),
        h(
          'details',
          {},
          h('summary', {}, 'Options'),
          h('div.row', {}, field('Search', mode), field('Token budget', budget)),
          h('fieldset', {}, h('legend', {}, 'Collections'), h('div.row', {}, ...boxes)),
        ),
        h(
          'div.row',
          {},
          button,
          copyButton(() => location.href, 'Copy link'),
        ),
        h('p.muted', {}, 'This is logged like any prompt.'),
      ),
      recent,
    ),
    result,
  )
  showRecent()
  query.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) query.form.requestSubmit()
  })
  // A form can be submitted only after it was inserted in the page.
  if (address.has('q')) setTimeout(() => query.form.requestSubmit())
}

const remembered = (project) => keptJson(`questions-${project}`, [])
const remember = (project, question) =>
  keepJson(
    `questions-${project}`,
    [question, ...remembered(project).filter((text) => text !== question)].slice(0, REMEMBERED),
  )

const chosen = (boxes) =>
  boxes
    .map((box) => box.querySelector('input'))
    .filter(({ checked }) => checked)
    .map(({ value }) => value)

async function run(result, { project, query, mode, budget, boxes, threshold, ask }) {
  const collections = chosen(boxes)
  const some = collections.length > 0 ? { collections } : {}
  const [augmented, routed, found] = await Promise.all([
    post('/augment_query', { project, query, token_budget: budget, score_threshold: threshold, ...some }),
    post('/query', { project, query, mode, limit: 10, ...some }),
    post('/hybrid_search', { project, query, limit: 20, mode: mode === 'auto' ? 'hybrid' : mode, ...some }),
  ])
  const parts = new Map(found.combined_results.map((item) => [item.context_id, item]))
  fill(
    result,
    augmented.context_count > 0 ? given(augmented) : await nothing(project, augmented, query),
    thresholdCard(augmented, ask),
    card(
      'Why',
      augmented.contexts.length > 0
        ? table(
            'Passages',
            [
              '',
              'Source',
              'Why',
              explained('Relevance', 'Calibrated probability that the passage helps to answer the question.'),
              explained('Tokens', 'Of what is shown with its source line, of those of the whole item if it is cut.'),
            ],
            augmented.contexts.map((context) => reasons(context, parts.get(context.context_id))),
          )
        : h('p.muted', {}, 'No passage was chosen.'),
      h(
        'details',
        {},
        h('summary', {}, 'The prompt as the model gets it'),
        h('pre.prompt', { tabindex: '0' }, augmented.augmented_prompt),
        copyButton(augmented.augmented_prompt),
      ),
      decision(routed),
    ),
    everything(found),
  )
}

const passages = (n) => (n === 1 ? '1 passage' : `${count(n)} passages`)

/** The passages that an agent gets. */
function given(augmented) {
  return card(
    'What the agent gets',
    h(
      'p',
      {},
      `${passages(augmented.context_count)}, ${count(augmented.token_count)} of ${count(augmented.token_budget)} tokens, in ${count(Math.round(augmented.latency_ms))} ms. Probability that they answer it: ${percent(augmented.answer_probability)}.`,
      augmented.held_out > 0
        ? ' One relevant passage was left out at random, to measure what it adds (HOLD_OUT_SHARE).'
        : '',
    ),
    ...blocksOf(augmented).map(passage),
  )
}

/** The passages of a prompt: source line and text, as enclosed by their delimiters. */
function blocksOf({ augmented_prompt: prompt, contexts }) {
  const found = [...prompt.matchAll(/<(context-\w+)>\n\[(\d+)\] (.*)\n([\s\S]*?)\n<\/\1>/g)]
  return found.map(([, , number, source, text]) => {
    const context = contexts.find((one) => one.number === Number(number))
    return {
      source,
      text,
      href: context ? `#/knowledge/${context.context_id}` : null,
      ...(context && context.collection !== 'codebase-context' && { prose: true }),
    }
  })
}

/** The strictness of the search: tries another threshold immediately. */
function thresholdCard({ relevance_threshold: used, answer_probability: best }, ask) {
  const shown = h('output', {}, percent(used))
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    step: 5,
    value: Math.round(100 * used),
    oninput: () => {
      shown.textContent = `${slider.value} %`
    },
  })
  const button = h('button', { type: 'submit' }, 'Ask with this threshold')
  return h(
    'details.card',
    { open: best < used },
    h('summary', {}, `Threshold: ${percent(used)}; this question reached ${percent(best)}`),
    form(
      'form.stack',
      button,
      () => ask(Number(slider.value) / 100),
      field(
        'Threshold',
        slider,
        'Below it nothing is added. Lower: more context, some of it beside the point. It holds for this question alone; RELEVANCE_THRESHOLD sets it for all.',
      ),
      h('div.row', {}, shown, button),
    ),
  )
}

/** No result: the nearest passages, how far they are below the threshold, and a link to a form for the answer. */
async function nothing(project, augmented, query) {
  const {
    nearest = [],
    answer_probability: best,
    relevance_threshold: needed,
    absence_reason: reason,
    note,
  } = augmented
  const items = await Promise.all(
    nearest.map(({ context_id: id }) => get(`/knowledge/items/${id}`, { project }).catch(() => null)),
  )
  return card(
    'No context was added',
    h(
      'p',
      {},
      reason === 'nothing_relevant'
        ? `The best match has ${percent(best)}; ${percent(needed)} is needed.`
        : `Reason: ${String(reason).replaceAll('_', ' ')}.`,
    ),
    note ? h('p', {}, note) : null,
    h(
      'p',
      {},
      h(
        'a.button.primary',
        { href: `#/knowledge/best-practices/new/${encodeURIComponent(query.slice(0, 500))}` },
        'Write the answer down',
      ),
    ),
    nearest.length > 0 ? h('h3', {}, 'Nearest passages') : null,
    ...nearest.map((entry, i) =>
      h(
        'details.near',
        { open: i === 0 },
        h(
          'summary',
          {},
          h('span', {}, entry.title),
          h('span.muted', {}, ` ${percent(entry.probability)}, short by ${percent(entry.short_by)}`),
        ),
        items[i]
          ? passage({
              source: itemTitle(items[i]),
              text: itemText(items[i]),
              href: `#/knowledge/${entry.context_id}`,
              ...(items[i].collection !== 'codebase-context' && { prose: true }),
            })
          : h('a', { href: `#/knowledge/${entry.context_id}` }, 'Open'),
      ),
    ),
  )
}

function everything({ combined_results: results }) {
  return h(
    'details.card',
    {},
    h('summary', {}, `Everything found (${count(results.length)})`),
    results.length > 0
      ? table(
          'Search results',
          ['Item', 'Collection', 'Relevance', 'Words', 'Meaning'],
          results.map((item) => [
            h(
              'a',
              { href: `#/knowledge/${item.context_id}` },
              beginning(itemTitle({ fields: {}, ...item, key: item.title || item.key }), 100),
            ),
            item.collection,
            percent(item.score),
            scoreOf(item.breakdown.keyword),
            scoreOf(item.breakdown.semantic),
          ]),
        )
      : h('p', {}, 'Nothing.'),
  )
}

const scoreOf = (part) => (part ? `${decimal(part.score)} (no. ${part.rank})` : '–')

function reasons(context, item) {
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
    context.tokens_whole > context.tokens
      ? `${count(context.tokens)} of ${count(context.tokens_whole)}`
      : count(context.tokens),
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

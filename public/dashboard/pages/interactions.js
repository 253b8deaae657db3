/** Questions, answers and outcomes, with a search by words, dates and filters that are part of the address. */
import { get } from '../api.js'
import { field, fill, h, select, table } from '../dom.js'
import { ago, beginning, count, decimal, duration, outcomeMark, short } from '../format.js'
import { act, copyButton, empty, explained, form, pager } from '../parts.js'

export async function render(root, context) {
  const [first, ...rest] = context.item.split('/')
  if (first === 'rate') return (await import('./interactions-rate.js')).rate(root, context)
  if (first === 'conversation') return (await import('./interactions-rate.js')).thread(root, context, rest.join('/'))
  if (first) return (await import('./interactions-one.js')).one(root, { ...context, item: first })
  return list(root, context)
}

const ORDERS = [
  ['newest', 'newest first'],
  ['oldest', 'oldest first'],
  ['best', 'highest value'],
  ['worst', 'lowest value'],
  ['slowest', 'slowest'],
  ['most_tokens', 'most tokens'],
]
const OUTCOMES = [
  ['', 'any'],
  ['success', 'success'],
  ['partial', 'partial'],
  ['failure', 'failure'],
  ['none', 'not rated'],
]

async function list(root, { project, query: address, setQuery }) {
  const results = h('div')
  const cursors = ['']
  const input = (name, type, more = {}) => h('input', { type, value: address.get(name) ?? '', maxlength: 200, ...more })
  const controls = {
    text: input('text', 'search', { placeholder: 'words to find' }),
    outcome: select(OUTCOMES, address.get('outcome') ?? ''),
    order: select(ORDERS, address.get('order') ?? 'newest'),
    since: input('since', 'date'),
    until: input('until', 'date'),
    agent_type: select(
      [
        ['', 'any'],
        ['remote', 'remote'],
        ['local', 'local'],
      ],
      address.get('agent_type') ?? '',
    ),
    model_used: input('model_used', 'search'),
    variant: input('variant', 'search'),
    tags: input('tags', 'search'),
  }
  const values = () =>
    Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, control.value.trim()]))
  const load = async () => {
    const { since, until, order, ...filters } = values()
    const {
      interactions,
      next_cursor: next,
      total,
    } = await get('/interactions', {
      project,
      limit: 20,
      cursor: cursors.at(-1),
      ...filters,
      order,
      since: since && startOf(since),
      until: until && startOf(until) + 86_400_000,
    })
    const filtered = Object.entries(values()).some(
      ([name, value]) => value !== '' && !(name === 'order' && value === 'newest'),
    )
    fill(
      results,
      total === null || (total === 0 && !filtered)
        ? null
        : h(
            'p.muted',
            {},
            total >= 1000
              ? '1,000 or more interactions'
              : total === 1
                ? '1 interaction'
                : `${count(total)} interactions`,
          ),
      interactions.length === 0
        ? empty(
            filtered ? 'No interaction matches these filters.' : 'No interactions yet. Connect an agent:',
            filtered ? null : `npm run connect -- claude-code --project ${project}`,
          )
        : rows(interactions),
      pager(cursors, next, load, ['Previous', 'Next']),
    )
  }
  const button = h('button', { type: 'submit' }, 'Search')
  const apply = async () => {
    const { order, ...rest } = values()
    setQuery({ ...rest, order: order === 'newest' ? '' : order })
    cursors.length = 1
    await load()
  }
  for (const control of Object.values(controls)) control.addEventListener('change', () => act(button, apply))
  fill(
    root,
    form(
      'form.stack.filters',
      button,
      apply,
      h(
        'div.row',
        {},
        field('Text', controls.text),
        field('Outcome', controls.outcome),
        field('Order', controls.order),
        button,
        h('a.button', { href: '#/interactions/rate' }, 'Rate the last twenty'),
      ),
      h(
        'details',
        { open: ['since', 'until', 'agent_type', 'model_used', 'variant', 'tags'].some((name) => address.get(name)) },
        h('summary', {}, 'More filters'),
        h(
          'div.row',
          {},
          field('From', controls.since),
          field('To', controls.until),
          field('Agent', controls.agent_type),
          field('Model', controls.model_used),
          field('Variant', controls.variant),
          field('Tag', controls.tags),
          copyButton(
            () => `${location.href}${location.hash.includes('?') ? '&' : '?'}project=${encodeURIComponent(project)}`,
            'Copy link',
          ),
        ),
      ),
    ),
    results,
  )
  await load()
  return () => (cursors.length === 1 ? load() : Promise.resolve())
}

/** Midnight of a local day, in milliseconds. */
const startOf = (day) => new Date(`${day}T00:00`).getTime()

const latency = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : duration(ms))

function rows(interactions) {
  return table(
    'Interactions',
    [
      'Question',
      'Outcome',
      explained('Value', 'How much there is to learn from the answer, 0 to 1.'),
      'Model',
      'Tokens',
      'Time',
      'When',
    ],
    interactions.map((row) => [
      h(
        'div',
        {},
        h('a', { href: `#/interactions/${row.interaction_id}` }, beginning(row.query)),
        h('div.muted.anywhere', {}, beginning(row.response, 120)),
      ),
      outcomeMark(row.outcome),
      row.value_score === null ? '–' : decimal(row.value_score),
      row.model_used,
      row.tokens_used === null ? '–' : short(row.tokens_used),
      h('span.nowrap', {}, row.latency_ms > 0 ? latency(row.latency_ms) : '–'),
      ago(row.created_at),
    ]),
  )
}

/** The overview: health, whether prompts get context and whether it helps, costs and savings, and missing knowledge. */
import { get } from '../api.js'
import { intervalBar } from '../charts.js'
import { card, fill, h } from '../dom.js'
import { ago, beginning, count, figure, percent, rateOf, short } from '../format.js'
import { copyable, period, periodField, tip } from '../parts.js'
import { progressLine } from '../progress.js'
import { costCard, money, priceOf } from './overview-cost.js'
import { health } from './overview-health.js'
import { dailyCharts, moreFigures } from './overview-more.js'

export async function render(root, { project, go }) {
  const holders = Object.fromEntries(
    ['first', 'state', 'tiles', 'context', 'unanswered', 'cost', 'attention'].map((name) => [name, h('div')]),
  )
  const charts = dailyCharts()
  const more = moreFigures()
  /** Figures that are meaningful only after a question was asked or an answer tracked. */
  const counted = h('div')
  fill(
    counted,
    holders.tiles,
    h(
      'div.columns',
      {},
      card('Success with and without context', holders.context),
      card('Questions without an answer', holders.unanswered),
    ),
    charts.element,
    card('Tokens and money', holders.cost),
    more.element,
  )
  const update = async () => {
    const days = period()
    const [ready, stats, learning, trends, { collections }, { datasets }, unanswered] = await Promise.all([
      get('/ready'),
      get('/stats', { project, days }),
      get('/learning/stats', { project }),
      get('/stats/trends', { project, days }),
      get('/collections', { project }),
      get('/learning/datasets', { project, limit: 1 }),
      get('/unanswered', { project, limit: 8 }),
    ])
    const used = stats.token_ledger.measured.augmentations > 0 || learning.scored > 0 || stats.interactions > 0
    counted.hidden = !used
    fill(holders.first, checklist(project, stats, collections))
    fill(holders.state, health(ready))
    fill(holders.attention, attention(learning))
    fill(holders.tiles, tiles(stats))
    fill(holders.context, contextEffect(stats, learning))
    fill(holders.unanswered, questions(unanswered, stats.token_ledger.measured.augmentations))
    fill(holders.cost, costCard(stats, update))
    await charts.show(trends)
    progress.watch()
    await more.show({ stats, learning, trends, collections, ready, dataset: datasets[0] })
  }
  const progress = progressLine(project, update)
  fill(
    root,
    h(
      'div.row.spread',
      {},
      holders.state,
      periodField(() => go('#/overview')),
    ),
    progress.element,
    holders.first,
    holders.attention,
    counted,
  )
  await update()
  return update
}

/** First steps, with completed ones ticked; empty if all are done. */
function checklist(project, stats, collections) {
  const asked = stats.token_ledger.measured.augmentations
  const { success, partial, failure } = stats.outcomes
  const steps = [
    ['Start the coordinator', true],
    [
      'Read a repository',
      collections.some(({ items }) => items > 0),
      `npm run ingest -- ~/code/${project} --project ${project}`,
    ],
    [
      'Connect an agent',
      asked > 0 || stats.interactions > 0,
      `npm run connect -- claude-code --project ${project}`,
      'Or cursor, vscode, codex, gemini, opencode, claude-desktop. This page shows the first request when it comes.',
    ],
    ['Ask the first question', asked > 0, `npm run ask -- "How does it work?" --project ${project}`],
    [
      'See the first outcome',
      success + partial + failure > 0,
      null,
      'Agents with hooks report it themselves. You can also rate an answer under Interactions.',
    ],
  ]
  if (steps.every(([, done]) => done)) return null
  const next = steps.find(([, done]) => !done)
  return card(
    'Get started',
    h(
      'ol.checklist',
      {},
      ...steps.map((step) =>
        h(
          'li',
          { 'data-done': String(step[1]) },
          h('span', { 'aria-hidden': 'true' }, step[1] ? '✓ ' : '○ '),
          step[0],
          h('span.visually-hidden', {}, step[1] ? ' (done)' : ' (to do)'),
          step === next && step[2] ? copyable(step[2]) : null,
          step === next && step[3] ? h('p.muted', {}, step[3]) : null,
        ),
      ),
    ),
  )
}

/** Problems that need a person; empty if there are none. */
function attention({ dead, training }) {
  const failed = training.filter(({ status }) => status === 'dead')
  if (dead === 0 && failed.length === 0) return null
  return h(
    'p.warning',
    { role: 'status' },
    h(
      'a',
      { href: '#/jobs?status=dead' },
      dead === 1 ? '1 background job failed' : `${count(dead)} background jobs failed`,
    ),
    ' and will not be tried again until you retry it.',
  )
}

/** Questions without results, as links to a form for the answer. */
function questions({ questions: list }, augmentations) {
  if (augmentations === 0 && list.length === 0) return h('p.muted', {}, 'No questions yet.')
  if (list.length === 0) return h('p.muted', {}, 'Every recent question found context.')
  return h(
    'ul.rows',
    {},
    ...list.map(({ query, times, last_asked_at: at }) =>
      h(
        'li',
        {},
        h('a', { href: `#/try-it/${encodeURIComponent(query.slice(0, 500))}` }, beginning(query)),
        h('span.muted', {}, times > 1 ? ` asked ${count(times)} times, ` : ' ', ago(at)),
        h(
          'a.small.button',
          {
            href: `#/knowledge/best-practices/new/${encodeURIComponent(query.slice(0, 500))}`,
            'aria-label': `Answer: ${beginning(query)}`,
          },
          'Answer',
        ),
      ),
    ),
  )
}

function tile(title, explanation, value, ...notes) {
  return h(
    'div.tile',
    {},
    h('h2', {}, title, ' ', tip(title, explanation)),
    h('p.big', {}, value),
    h('p.muted', {}, ...notes),
  )
}

function tiles(stats) {
  const { measured } = stats.token_ledger
  const asked = measured.augmentations
  const share = asked > 0 ? measured.augmentations_with_context / asked : null
  const { whole_documents: whole } = measured
  const saved = whole.augmentations > 0 ? whole.tokens - whole.added : null
  const rate = rateOf(stats.outcomes)
  const rated = stats.outcomes.success + stats.outcomes.partial + stats.outcomes.failure
  const [withContext, without] = [stats.with_context, stats.without_context]
  const price = priceOf('context')
  return h(
    'div.tiles',
    {},
    tile(
      'Prompts with context',
      'Of the prompts that asked for context, how many got at least one passage. The others found nothing relevant enough.',
      figure('ledger.context_share', share, percent(share)),
      asked > 0 ? `of ${count(asked)} prompts` : 'no prompts yet',
    ),
    tile(
      'Context added',
      'Tokens that prompts grew by: passages, their headings and delimiters. The money is these tokens at your price for input tokens.',
      figure('ledger.context_added', measured.context_added, short(measured.context_added)),
      asked > 0 ? `tokens, ${money(measured.context_added, price)}` : 'tokens',
    ),
    tile(
      'Reading saved',
      'Tokens of the whole files that the passages came from, minus what was added. An agent that opens those files itself reads that much more.',
      figure('ledger.reading_saved', saved, short(saved)),
      saved === null ? 'no prompts yet' : `tokens, ${money(saved, price)}`,
    ),
    tile(
      'Success',
      'Share of rated answers that succeeded. A partial success counts half.',
      figure('stats.success_rate', rate, percent(rate)),
      rated === 0
        ? 'no outcomes yet'
        : withContext.with_outcome > 0 && without.with_outcome > 0
          ? `${percent(withContext.success_rate)} with context, ${percent(without.success_rate)} without`
          : `${count(rated)} rated`,
    ),
    tile(
      'Without an answer',
      'Prompts that got no context because nothing stored was relevant enough. Write down what is missing, and the next one finds it.',
      figure('ledger.without_context', asked - measured.augmentations_with_context),
      asked > 0 ? `of ${count(asked)} prompts` : 'no prompts yet',
    ),
  )
}

function contextEffect(stats, learning) {
  const row = (label, name, { success_rate: rate, interval, with_outcome: n }) =>
    h(
      'div.rate-row',
      {},
      h('span', {}, label),
      figure(name, rate, percent(rate)),
      intervalBar(
        rate,
        n > 0 ? interval : null,
        `${label}: ${percent(rate)}, 95 % interval ${percent(interval.low)} to ${percent(interval.high)}, ${n} outcomes`,
      ),
      h(
        'span.muted',
        {},
        n > 0 ? `[${percent(interval.low)}, ${percent(interval.high)}] of ${count(n)}` : 'no outcomes',
      ),
    )
  const { difference, interval, shown, held_out: without } = learning.context_effect
  return h(
    'div',
    {},
    row('With context', 'stats.with_context.success_rate', stats.with_context),
    row('Without context', 'stats.without_context.success_rate', stats.without_context),
    h(
      'p.note',
      {},
      difference === null
        ? 'The two groups answer different questions, so the difference is not proof that context helps. To measure it, set CONTROL_GROUP_SHARE: a small random share of prompts then gets no context.'
        : `Effect of context, measured: ${percent(difference, 1)}${interval ? ` [${percent(interval.low, 1)}, ${percent(interval.high, 1)}]` : ''}, from ${count(shown)} answers with context and ${count(without)} from which it was withheld at random.`,
    ),
  )
}

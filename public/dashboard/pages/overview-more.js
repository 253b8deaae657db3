/** The figures by day, and less important figures. */
import { chart } from '../charts.js'
import { card, facts, fill, h, table } from '../dom.js'
import { ago, bytes, count, decimal, duration, figure, percent, short } from '../format.js'
import { explained } from '../parts.js'

const series = (days, label, colour, of) => ({ label, colour, values: days.map(of) })
const OUTCOMES = [
  ['success', 'good'],
  ['partial', 'fair'],
  ['failure', 'bad'],
  ['unknown', 'none', 'no outcome yet'],
]
const outcomes = (days, of) =>
  OUTCOMES.map(([name, colour, label = name]) => series(days, label, colour, (day) => of(day)[name]))

/** Prompts and outcomes by day. */
export function dailyCharts() {
  const prompts = chart('Prompts by day, with and without context', 'bar', { stacked: true })
  const answers = chart('Interactions and their outcomes by day', 'bar', { stacked: true })
  const drawn = onlyChanges()
  return {
    element: h(
      'div.columns',
      {},
      card('Prompts by day', prompts.element),
      card('Interactions and outcomes', answers.element),
    ),
    show: (trends) =>
      drawn(trends, async () => {
        const { days } = trends
        const labels = days.map(({ day }) => day.slice(5))
        await prompts.show(labels, [
          series(days, 'with context', 'accent', (day) => day.augmentations_with_context),
          series(days, 'nothing found', 'none', (day) => day.augmentations - day.augmentations_with_context),
        ])
        await answers.show(
          labels,
          outcomes(days, (day) => day.outcomes),
        )
      }),
  }
}

/** Redraws charts only if their figures or the theme have changed. */
function onlyChanges() {
  let last = ''
  return async (figures, draw) => {
    const now = JSON.stringify(figures) + (document.documentElement.dataset.theme ?? '')
    if (now === last) return
    last = now
    await draw()
  }
}

/** Value scores, collections, tokens, local answers and background work, folded by default. */
export function moreFigures() {
  const trend = chart('Mean value score by day', 'line', { max: 1 })
  const scores = chart('Interactions by value score', 'bar')
  const local = chart('Answers of the local model by day', 'bar', { stacked: true })
  const holders = Object.fromEntries(['summary', 'tokens', 'knowledge', 'work'].map((name) => [name, h('div')]))
  const drawn = onlyChanges()
  let figures = null
  const charts = () =>
    drawn(figures.trends, async () => {
      const { days, value_scores: found } = figures.trends
      const labels = days.map(({ day }) => day.slice(5))
      await trend.show(labels, [
        series(days, 'mean value score', 'accent', ({ mean_value_score: mean }) =>
          mean === null ? null : Number(mean.toFixed(3)),
        ),
      ])
      const bins = Array.from({ length: 20 }, () => 0)
      for (const { score, count: n } of found) bins[Math.min(19, Math.floor(score * 20 + 1e-9))] += n
      await scores.show(
        bins.map((_, i) => (i / 20).toFixed(2)),
        [{ label: 'interactions', colour: 'accent', values: bins }],
      )
      await local.show(
        labels,
        outcomes(days, (day) => day.local),
      )
    })
  const element = h(
    'details.more',
    { ontoggle: () => element.open && figures && charts() },
    h('summary', {}, 'More figures'),
    card('What was learnt', holders.summary),
    h(
      'div.columns',
      {},
      card('Value score over time', trend.element),
      card('Value scores', scores.element),
      card('Knowledge', holders.knowledge),
      card('Token ledger', holders.tokens),
      card('Local answers', local.element),
      card('Background work', holders.work),
    ),
  )
  return {
    element,
    async show(now) {
      figures = now
      fill(holders.summary, summary(now))
      fill(holders.tokens, tokens(now.stats.token_ledger))
      fill(holders.knowledge, knowledge(now.collections))
      fill(holders.work, work(now.ready, now.learning, now.dataset))
      if (element.open) await charts()
    },
  }
}

function summary({ stats, learning }) {
  return facts([
    ['Interactions', figure('stats.interactions', stats.interactions, short(stats.interactions))],
    [
      explained(
        'Value score',
        'How much there is to learn from an answer, 0 to 1: outcome, rating, reuse, complexity and novelty.',
      ),
      figure('stats.mean_value_score', stats.mean_value_score, decimal(stats.mean_value_score)),
    ],
    [
      explained(
        'High value',
        `Interactions with a value score of ${learning.high_value_threshold} or more. They become patterns and training data.`,
      ),
      figure('learning.high_value', learning.high_value, short(learning.high_value)),
    ],
    [
      explained('Patterns', 'Reusable approaches, taken from answers that worked.'),
      figure('learning.patterns', learning.patterns, short(learning.patterns)),
    ],
    ['Corrections', count(learning.corrections)],
    [
      explained('Local share', 'Share of interactions that a model of your own machine answered.'),
      figure('stats.local_share', stats.local_share, percent(stats.local_share)),
    ],
  ])
}

const MEASURED = [
  ['whole_items', 'Same passages, unshortened', 'The shown items, had they been sent whole.'],
  ['top_items_whole', 'Plain top-5 retrieval', 'The five best items, sent whole, as simple retrieval does.'],
  ['used_remote', 'Used by remote models', 'Prompt and answer, as callers reported them.'],
  ['used_local', 'Used by the local model', 'Prompt and answer, as callers reported them.'],
]
const ESTIMATED = {
  remote_replaced_by_local: 'Remote tokens replaced by local answers',
  context_effect_on_tokens: 'Effect of context on the length of an answer',
}

function tokens({ measured, estimated, unknown }) {
  const guesses = Object.entries(estimated).filter(([, value]) => value !== null)
  return h(
    'div',
    {},
    h('h3', {}, 'Measured'),
    facts(
      MEASURED.map(([name, label, meaning]) => [
        explained(label, meaning),
        figure(`ledger.${name}`, measured[name], short(measured[name])),
      ]),
    ),
    h('h3', {}, 'Estimated'),
    guesses.length > 0
      ? facts(
          guesses.map(([name, value]) => [
            ESTIMATED[name] ?? name,
            h(
              'span',
              {},
              figure(`estimated.${name}`, value.value, short(Math.round(value.value))),
              ` [${short(Math.round(value.low))}, ${short(Math.round(value.high))}]`,
            ),
          ]),
        )
      : h('p.muted', {}, 'Nothing yet: it takes answers of both models, or a control group.'),
    unknown.length > 0 ? h('h3', {}, 'Unknown') : null,
    h(
      'ul.plain',
      {},
      ...unknown.map(({ name, reason }) => h('li', {}, h('strong', {}, name.replaceAll('_', ' ')), `: ${reason}`)),
    ),
  )
}

function knowledge(collections) {
  return table(
    'Items by collection',
    ['Collection', 'Items', 'Documents', 'With vector'],
    collections.map(({ name, items, documents, with_vector: vectors }) => [
      h('a', { href: `#/knowledge/${name}` }, name),
      figure(`knowledge.${name}.items`, items),
      count(documents),
      count(vectors),
    ]),
  )
}

function work({ queue }, learning, dataset) {
  return facts([
    [
      explained('Waiting jobs', 'Scoring, indexing and training that has not run yet.'),
      figure('learning.queue_depth', learning.queue_depth),
    ],
    ['Longest waiting', learning.oldest_pending_ms === null ? 'none' : duration(learning.oldest_pending_ms)],
    [h('a', { href: '#/jobs' }, 'Failed jobs'), figure('learning.dead', learning.dead)],
    ['Outcomes not scored yet', figure('learning.unscored', learning.unscored)],
    [
      h('a', { href: '#/datasets' }, 'Last export'),
      dataset
        ? h('span', {}, ago(dataset.created_at), `, ${count(dataset.rows)} rows, ${bytes(dataset.bytes)}`)
        : 'none yet',
    ],
    ['Failed jobs, all projects', queue ? count(queue.dead) : 'unknown'],
  ])
}

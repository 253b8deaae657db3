/** Is it working, do prompts get context, does context help, what does it cost, and what is missing. */
import { get } from '../api.js'
import { chart, intervalBar } from '../charts.js'
import { card, copyable, fill, h, table } from '../dom.js'
import { ago, beginning, bytes, count, decimal, duration, figure, percent, short } from '../format.js'

const NAMES = {
  database: 'Database',
  knowledge_store: 'Knowledge',
  datasets: 'Datasets',
  local_model: 'Local model',
  embedder: 'Embedder',
  reranker: 'Reranker',
  remote_model: 'Remote model',
  aidb: 'AIDB',
}

export async function render(root, { project }) {
  const holders = Object.fromEntries(
    ['state', 'tiles', 'context', 'unanswered', 'tokens', 'knowledge', 'work'].map((name) => [name, h('div')]),
  )
  const outcomes = chart('Interactions and their outcomes by day', 'bar', { stacked: true })
  const trend = chart('Mean value score by day', 'line', { max: 1 })
  const scores = chart('Interactions by value score', 'bar')
  const local = chart('Answers of the local model by day', 'bar', { stacked: true })
  const first = h('div')
  fill(
    root,
    first,
    holders.state,
    holders.tiles,
    h(
      'div.columns',
      {},
      card('Success with and without context', holders.context),
      card('Questions without an answer', holders.unanswered),
    ),
    h(
      'div.columns',
      {},
      card('Interactions and outcomes', outcomes.element),
      card('Value score over time', trend.element),
    ),
    h('div.columns', {}, card('Value scores', scores.element), card('Knowledge', holders.knowledge)),
    h('div.columns', {}, card('Tokens', holders.tokens), card('Local answers', local.element)),
    card('Background work', holders.work),
  )
  const update = async () => {
    const [ready, stats, learning, trends, { collections }, { datasets }, unanswered] = await Promise.all([
      get('/ready'),
      get('/stats', { project }),
      get('/learning/stats', { project }),
      get('/stats/trends', { project, days: 30 }),
      get('/collections', { project }),
      get('/learning/datasets', { project, limit: 1 }),
      get('/unanswered', { project, limit: 8 }),
    ])
    fill(first, checklist(project, stats, collections))
    fill(holders.state, dependencies(ready))
    fill(holders.tiles, tiles(stats, learning))
    fill(holders.context, contextEffect(stats, learning))
    fill(holders.unanswered, questions(unanswered, stats.token_ledger.measured.augmentations))
    fill(holders.tokens, tokens(stats.token_ledger))
    fill(holders.knowledge, knowledge(collections))
    fill(holders.work, work(ready, learning, datasets[0]))
    await drawn({ outcomes, trend, scores, local }, trends)
  }
  await update()
  return update
}

let last = ''

/** Charts are drawn again only when their figures have changed. */
async function drawn(charts, trends) {
  const now = JSON.stringify(trends) + (document.documentElement.dataset.theme ?? '')
  if (now === last && charts.outcomes.element.isConnected && charts.outcomes.element.dataset.drawn) return
  last = now
  charts.outcomes.element.dataset.drawn = 'yes'
  const days = trends.days.map(({ day }) => day.slice(5))
  const series = (label, colour, of) => ({ label, colour, values: trends.days.map(of) })
  await charts.outcomes.show(days, [
    series('success', 'good', ({ outcomes }) => outcomes.success),
    series('partial', 'fair', ({ outcomes }) => outcomes.partial),
    series('failure', 'bad', ({ outcomes }) => outcomes.failure),
    series('no outcome yet', 'none', ({ outcomes }) => outcomes.unknown),
  ])
  await charts.trend.show(days, [
    series('mean value score', 'accent', ({ mean_value_score: mean }) =>
      mean === null ? null : Number(mean.toFixed(3)),
    ),
  ])
  const bins = Array.from({ length: 20 }, () => 0)
  for (const { score, count: n } of trends.value_scores) bins[Math.min(19, Math.floor(score * 20 + 1e-9))] += n
  await charts.scores.show(
    bins.map((_, i) => (i / 20).toFixed(2)),
    [{ label: 'interactions', colour: 'accent', values: bins }],
  )
  await charts.local.show(days, [
    series('success', 'good', ({ local }) => local.success),
    series('partial', 'fair', ({ local }) => local.partial),
    series('failure', 'bad', ({ local }) => local.failure),
    series('no outcome yet', 'none', ({ local }) => local.unknown),
  ])
}

const WORDS = { ok: 'Everything works.', degraded: 'Working, with limits.', down: 'Not working.' }

/** One line when all is well; what is wrong otherwise. Details unfold. */
function dependencies({ status, dependencies, not_configured: missing, reembedding }) {
  return h(
    'details.card.health',
    { 'data-status': status, open: status !== 'ok' },
    h('summary', {}, h('span.dot', { 'aria-hidden': 'true' }), h('strong', {}, WORDS[status] ?? status)),
    h(
      'ul.states',
      {},
      ...dependencies.map((entry) =>
        h(
          'li.state',
          { 'data-state': entry.state, 'data-dependency': entry.name },
          h('span.dot', { 'aria-hidden': 'true' }),
          h('strong', {}, NAMES[entry.name] ?? entry.name),
          h('span', {}, `${entry.state} · ${entry.uses}`),
          entry.error ? h('span.error', {}, entry.error) : null,
          entry.breaker && entry.breaker !== 'closed'
            ? h('span.muted', {}, `paused after failures (${entry.breaker})`)
            : null,
          h('span.muted', {}, `checked ${duration(entry.age_ms)} ago`),
        ),
      ),
    ),
    missing.length > 0
      ? h('p.muted', {}, `Optional and not configured: ${missing.map((name) => NAMES[name] ?? name).join(', ')}.`)
      : null,
    status === 'down' ? h('p.error', { role: 'alert' }, 'A part that nothing works without is down.') : null,
    ...reembedding.map(({ collection, serves, target, items }) =>
      h(
        'p.note',
        {},
        `${collection} is being embedded in ${target} (${count(items)} items). ${serves ?? 'Keyword search'} serves until then.`,
      ),
    ),
  )
}

/** What to do first, ticked as it happens; nothing once all is done. */
function checklist(project, stats, collections) {
  const asked = stats.token_ledger.measured.augmentations
  const { success, partial, failure } = stats.outcomes
  const steps = [
    ['Start the coordinator', true, null],
    [
      'Read a repository',
      collections.some(({ items }) => items > 0),
      `npm run ingest -- ~/code/${project} --project ${project}`,
    ],
    ['Connect an agent', asked > 0 || stats.interactions > 0, `npm run connect -- claude-code --project ${project}`],
    ['Ask the first question', asked > 0, `npm run ask -- "How does it work?" --project ${project}`],
    ['See the first outcome', success + partial + failure > 0, null],
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
        ),
      ),
    ),
  )
}

/** Questions that found nothing, as links to where the answer can be written down. */
function questions({ questions: list }, augmentations) {
  if (augmentations === 0) return h('p.muted', {}, 'No questions yet.')
  if (list.length === 0) return h('p.muted', {}, 'Every recent question found context.')
  return h(
    'ul.plain',
    {},
    ...list.map(({ query, times, last_asked_at: at }) =>
      h(
        'li',
        {},
        h('a', { href: `#/try-it/${encodeURIComponent(query.slice(0, 500))}` }, beginning(query)),
        h('span.muted', {}, times > 1 ? ` asked ${count(times)} times, ` : ' ', ago(at)),
      ),
    ),
  )
}

function tile(title, value, note) {
  return h('div.tile', {}, h('h2', {}, title), h('p.big', {}, value), h('p.muted', {}, note))
}

function tiles(stats, learning) {
  const { success, partial, failure } = stats.outcomes
  const known = success + partial + failure
  const rate = known > 0 ? (success + partial / 2) / known : null
  const { measured } = stats.token_ledger
  const share = measured.augmentations > 0 ? measured.augmentations_with_context / measured.augmentations : null
  return h(
    'div.tiles',
    {},
    tile(
      'Prompts with context',
      figure('ledger.context_share', share, percent(share)),
      measured.augmentations > 0 ? `of ${count(measured.augmentations)} prompts` : 'no prompts yet',
    ),
    tile(
      'Tokens added',
      figure('ledger.context_added', measured.context_added, short(measured.context_added)),
      `whole files: ${measured.whole_documents ? short(measured.whole_documents.tokens) : 'unknown'}`,
    ),
    tile(
      'Success',
      figure('stats.success_rate', rate, percent(rate)),
      known > 0 ? `${count(known)} rated; partial = ½` : 'no outcomes yet',
    ),
    tile(
      'Interactions',
      figure('stats.interactions', stats.interactions, short(stats.interactions)),
      `${count(known)} with an outcome`,
    ),
    tile(
      'Value score',
      figure('stats.mean_value_score', stats.mean_value_score, decimal(stats.mean_value_score)),
      `average of ${count(stats.scored)}, 0 to 1`,
    ),
    tile(
      'High value',
      figure('learning.high_value', learning.high_value, short(learning.high_value)),
      `value score ≥ ${learning.high_value_threshold}`,
    ),
    tile(
      'Local share',
      figure('stats.local_share', stats.local_share, percent(stats.local_share)),
      measured.local_answers === 1 ? '1 local answer' : `${count(measured.local_answers)} local answers`,
    ),
    tile(
      'Patterns',
      figure('learning.patterns', learning.patterns, short(learning.patterns)),
      learning.corrections === 1 ? '1 correction' : `${count(learning.corrections)} corrections`,
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
        ? 'Whether context is the cause is unknown: set CONTROL_GROUP_SHARE to withhold it from a small random share.'
        : `Caused by context: ${percent(difference, 1)}${interval ? ` [${percent(interval.low, 1)}, ${percent(interval.high, 1)}]` : ''}, from ${count(shown)} answers with and ${count(without)} without, by chance.`,
    ),
  )
}

const MEASURED = [
  ['context_added', 'Context added to prompts'],
  ['not_repeated', 'Not sent again within a conversation'],
  ['whole_items', 'Same passages, unshortened'],
  ['top_items_whole', 'Plain top-5 retrieval'],
  ['used_remote', 'Used by remote models'],
  ['used_local', 'Used by the local model'],
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
    h(
      'dl.figures',
      {},
      ...MEASURED.flatMap(([name, label]) => [
        h('dt', {}, label),
        h('dd', {}, figure(`ledger.${name}`, measured[name], short(measured[name]))),
      ]),
    ),
    h('h3', {}, 'Estimated'),
    guesses.length > 0
      ? h(
          'dl.figures',
          {},
          ...guesses.flatMap(([name, value]) => [
            h('dt', {}, ESTIMATED[name] ?? name),
            h(
              'dd',
              {},
              figure(`estimated.${name}`, value.value, short(Math.round(value.value))),
              ` [${short(Math.round(value.low))}, ${short(Math.round(value.high))}]`,
            ),
          ]),
        )
      : h('p.muted', {}, 'Nothing yet: it takes answers of both models, or a control group.'),
    h('h3', {}, 'Unknown'),
    h(
      'ul.plain',
      {},
      ...unknown.map(({ name, reason }) => h('li', {}, h('strong', {}, name.replaceAll('_', ' ')), `: ${reason}`)),
    ),
  )
}

function knowledge(collections) {
  const most = Math.max(1, ...collections.map(({ items }) => items))
  return table(
    'Items by collection',
    ['Collection', 'Items', '', 'Documents', 'With vector'],
    collections.map(({ name, items, documents, with_vector: vectors }) => [
      h('a', { href: `#/knowledge/${name}` }, name),
      figure(`knowledge.${name}.items`, items),
      h('meter', { min: 0, max: most, value: items, 'aria-label': `${name}: ${items} items` }),
      count(documents),
      count(vectors),
    ]),
  )
}

function work({ queue }, learning, dataset) {
  return h(
    'dl.figures',
    {},
    h('dt', {}, 'Waiting jobs'),
    h('dd', {}, figure('learning.queue_depth', learning.queue_depth)),
    h('dt', {}, 'Longest waiting'),
    h('dd', {}, learning.oldest_pending_ms === null ? 'none' : duration(learning.oldest_pending_ms)),
    h('dt', {}, h('a', { href: '#/jobs' }, 'Failed jobs')),
    h('dd', {}, figure('learning.dead', learning.dead)),
    h('dt', {}, 'Outcomes not scored yet'),
    h('dd', {}, figure('learning.unscored', learning.unscored)),
    h('dt', {}, h('a', { href: '#/datasets' }, 'Last export')),
    h(
      'dd',
      {},
      dataset
        ? h('span', {}, ago(dataset.created_at), `, ${count(dataset.rows)} rows, ${bytes(dataset.bytes)}`)
        : 'none yet',
    ),
    h('dt', {}, 'Failed jobs, all projects'),
    h('dd', {}, queue ? count(queue.dead) : 'unknown'),
  )
}

/** The state of the coordinator's dependencies: one line if everything is healthy. */
import { h } from '../dom.js'
import { count, duration } from '../format.js'

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
const nameOf = (name) => NAMES[name] ?? name.replaceAll('_', ' ')
const WORDS = { ok: 'Everything works.', degraded: 'Working, with limits.', down: 'Not working.' }

/** One line if everything is healthy, otherwise the problems. Details can be unfolded. */
export function health({ status, dependencies, not_configured: missing, reembedding }) {
  const broken = dependencies.filter(({ state }) => state !== 'ok')
  return h(
    'details.health',
    { 'data-status': status, open: status !== 'ok' },
    h(
      'summary',
      {},
      h('span.dot', { 'aria-hidden': 'true' }),
      h('strong', {}, WORDS[status] ?? status),
      h(
        'span.muted',
        {},
        broken.length > 0
          ? ` ${broken.map(({ name }) => nameOf(name)).join(', ')}`
          : ` ${dependencies.map(({ name }) => nameOf(name)).join(', ')}`,
      ),
    ),
    h(
      'ul.states',
      {},
      ...dependencies.map((entry) =>
        h(
          'li.state',
          { 'data-state': entry.state, 'data-dependency': entry.name },
          h('span.dot', { 'aria-hidden': 'true' }),
          h('strong', {}, nameOf(entry.name)),
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
      ? h(
          'p.muted',
          {},
          `Optional and not configured: ${missing.map(nameOf).join(', ')}. `,
          h('a', { href: '#/settings' }, 'Settings'),
        )
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

/** All variables in groups, searchable, each with the place where it is set. */
import { get } from '../api.js'
import { fill, h, table } from '../dom.js'
import { copyable } from '../parts.js'

/** Groups by name prefix. The first match counts. */
const GROUPS = [
  ['Access', /^(HYBRID_API_KEY|ALLOWED_|CONCURRENT|REGISTER|OAUTH)/],
  ['Relevance and context', /^(RELEVANCE|DEFAULT_TOKEN|RANKING|CONTROL_GROUP|HOLD_OUT|EXPERIMENTS)/],
  ['Local model: llama.cpp', /^LLAMA_CPP/],
  ['Remote model', /^REMOTE_MODEL/],
  ['Embeddings', /^(EMBED|MINILM)/],
  ['Workers AI', /^WORKERS_AI/],
  ['Knowledge store: Qdrant', /^QDRANT/],
  ['External knowledge: AIDB', /^AIDB/],
  ['Routing', /^(ROUTING|LOCAL_CONFIDENCE|SQL_ROUTE)/],
  ['Learning and datasets', /^(VALUE|HIGH_VALUE|FINETUNE|PATTERN|LEARN|TRAIN|EXTRACT)/],
  ['Conversations', /^(CONVERSATION|SUMMAR)/],
  ['Limits and retention', /(MAX|LIMIT|DAYS|QUOTA|BUDGET|DAILY)/],
]
const groupOf = (name) => GROUPS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'Other'

export async function variables(holder) {
  const answer = await get('/settings').catch((error) => ({ error }))
  if (answer.error) {
    fill(holder, h('p.muted', {}, 'The variables are shown to admin keys.'))
    return
  }
  const { settings } = answer
  const list = h('div', { 'aria-live': 'polite' })
  const search = h('input', {
    type: 'search',
    placeholder: 'Name or meaning',
    'aria-label': 'Search the variables',
    oninput: () => show(),
  })
  const changed = h('input', { type: 'checkbox', onchange: () => show() })
  const show = () => {
    const wanted = search.value.trim().toLowerCase()
    const found = settings.filter(
      ({ name, meaning, source }) =>
        `${name} ${meaning}`.toLowerCase().includes(wanted) &&
        (!changed.checked || source === 'variable' || source === 'secret'),
    )
    const groups = Map.groupBy(found, ({ name }) => groupOf(name))
    const titles = [...GROUPS.map(([title]) => title), 'Other'].filter((title) => groups.has(title))
    fill(
      list,
      titles.length === 0 ? h('p.muted', {}, 'No variable matches.') : null,
      ...titles.map((title) =>
        h(
          'details.group',
          { open: wanted !== '' || changed.checked },
          h('summary', {}, `${title} (${groups.get(title).length})`),
          table(
            title,
            ['Variable', 'Value', 'Meaning'],
            groups
              .get(title)
              .map(({ name, value, source, meaning }) => [
                h('code.anywhere', {}, name),
                h(
                  'span.anywhere',
                  {},
                  value === null ? (source === 'secret' ? 'set, not shown' : 'not set') : h('code', {}, value),
                  source === 'default' ? h('span.muted', {}, ' (default)') : null,
                ),
                meaning,
              ]),
          ),
        ),
      ),
    )
  }
  fill(
    holder,
    h('p', {}, 'Variables are read at the start and cannot be changed here. Set one, then restart or deploy:'),
    h(
      'div.columns',
      {},
      h(
        'div',
        {},
        h('h3', {}, 'On your own machine: .dev.vars'),
        copyable('echo "RELEVANCE_THRESHOLD=0.4" >> .dev.vars'),
      ),
      h(
        'div',
        {},
        h('h3', {}, 'Deployed: [vars] in wrangler.toml; secrets by command'),
        copyable('npx wrangler secret put LLAMA_CPP_API_KEY'),
      ),
    ),
    h('div.row', {}, search, h('label.check', {}, changed, 'Only what differs from the default')),
    list,
  )
  show()
}

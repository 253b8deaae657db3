/** What is known: browse, search, add, change, delete, endorse; and what has helped. */
import { get, patch, post, remove } from '../api.js'
import { act, card, empty, field, fill, h, pager, select, table, toast } from '../dom.js'
import { ago, beginning, count, decimal, figure, percent } from '../format.js'

const COLLECTIONS = [
  'codebase-context',
  'skills-patterns',
  'error-solutions',
  'best-practices',
  'interaction-history',
  'learning-feedback',
]

export async function render(root, context) {
  const [collection, id, ...rest] = context.item.split('/')
  if (id === 'new') return add(root, context, collection, rest.join('/'))
  if (id) return one(root, context, collection, id)
  return browse(root, context, COLLECTIONS.includes(collection) ? collection : 'codebase-context')
}

function titleOf({ fields, key }) {
  if (fields.file_path) {
    const symbol = fields.symbols?.[0]
    return `${fields.file_path}${fields.start_line ? `:${fields.start_line}` : ''}${symbol ? ` ${symbol}` : ''}`
  }
  return fields.skill_name ?? fields.error_message ?? fields.title ?? fields.query ?? key
}

async function browse(root, { project, go }, collection) {
  const results = h('div')
  const cursors = ['']
  const page = async () => {
    const { items, next_cursor: next } = await get(`/knowledge/items/${collection}`, {
      project,
      limit: 20,
      cursor: cursors.at(-1),
    })
    fill(
      results,
      items.length > 0 ? rows(items, 'Items') : empty(`${collection} is empty.`, hintFor(collection, project)),
      pager(cursors, next, page),
    )
  }
  const text = h('input', { type: 'search', maxlength: 1000 })
  const button = h('button', { type: 'submit' }, 'Search')
  const search = async () => {
    if (text.value.trim() === '') return page()
    const { items, results: found } = await post('/search_context', {
      project,
      collection,
      query: text.value,
      limit: 20,
    })
    const list = items ?? found
    fill(results, list.length > 0 ? rows(list, 'Found') : h('p', {}, 'Nothing was found.'))
  }
  const credit = h('div')
  fill(
    root,
    h(
      'form.row.filters',
      {
        onsubmit: (event) => {
          event.preventDefault()
          act(button, search)
        },
      },
      field(
        'Collection',
        select(
          COLLECTIONS.map((name) => [name, name]),
          collection,
          (event) => go(`#/knowledge/${event.target.value}`),
        ),
      ),
      field('Search', text),
      button,
      h('a.button', { href: `#/knowledge/${collection}/new/` }, 'Add'),
    ),
    results,
    card('What has helped and what has not', credit),
  )
  await Promise.all([page(), showCredit(credit, project)])
}

const hintFor = (collection, project) =>
  collection === 'codebase-context'
    ? `npm run ingest -- ~/code/my-project --project ${project}`
    : collection === 'best-practices'
      ? 'npm run ingest -- practices.jsonl --collection best-practices'
      : null

function rows(items, caption) {
  return table(
    caption,
    ['Item', 'Helped', 'Tracked', 'Changed'],
    items.map((item) => [
      h('a', { href: `#/knowledge/${item.collection}/${item.id}` }, beginning(String(titleOf(item)), 110)),
      item.success_rate === null ? h('span.muted', {}, 'unknown') : percent(item.success_rate),
      count(item.access_count),
      ago(item.updated_at),
    ]),
  )
}

/** The fields of a form in each collection that people write in; the first one is the question or name. */
const FORMS = {
  'best-practices': [
    ['title', 'Title'],
    ['description', 'Text, Markdown'],
  ],
  'error-solutions': [
    ['error_message', 'Error message'],
    ['solution', 'Solution, Markdown'],
  ],
  'skills-patterns': [
    ['skill_name', 'Name'],
    ['description', 'How it is done, Markdown'],
  ],
  'codebase-context': [
    ['purpose', 'What it is for'],
    ['code_snippet', 'Code or prose'],
  ],
}

/** A form for a note. */
function add(root, { project, go }, wanted, question) {
  const collection = FORMS[wanted] ? wanted : 'best-practices'
  const [[first, firstLabel], [second, secondLabel]] = FORMS[collection]
  const name = h('input', { value: question, maxlength: 1000, required: true })
  const text = h('textarea', { rows: 12, maxlength: 100000, required: true })
  const save = h('button.primary', { type: 'submit' }, 'Save')
  fill(
    root,
    h('p', {}, h('a', { href: `#/knowledge/${collection}` }, `← ${collection}`)),
    card(
      'Add a note',
      h(
        'form.stack',
        {
          onsubmit: (event) => {
            event.preventDefault()
            act(save, async () => {
              const { results } = await post('/knowledge/items', {
                project,
                collection,
                items: [{ fields: { [first]: name.value, [second]: text.value } }],
              })
              if (results[0]?.error) throw new Error(results[0].error.message ?? 'The note was rejected.')
              toast('Saved. Questions find it from now on.')
              go(`#/knowledge/${collection}`)
            })
          },
        },
        field(
          'Collection',
          select(
            Object.keys(FORMS).map((key) => [key, key]),
            collection,
            (event) => go(`#/knowledge/${event.target.value}/new/${encodeURIComponent(name.value)}`),
          ),
        ),
        field(firstLabel, name),
        field(secondLabel, text),
        save,
      ),
    ),
  )
}

async function showCredit(holder, project) {
  const [{ items: best }, { items: worst }] = await Promise.all([
    get('/learning/credit', { project, order: 'best', limit: 5 }),
    get('/learning/credit', { project, order: 'worst', limit: 5 }),
  ])
  const list = (title, items) =>
    h(
      'div',
      {},
      h('h3', {}, title),
      items.length > 0
        ? table(
            title,
            ['Item', 'Successes', 'Failures', 'Success rate, 90 %'],
            items.map((item) => [
              h('a', { href: `#/knowledge/${item.context_id}` }, beginning(item.context_id, 60)),
              count(item.successes),
              count(item.failures),
              `${percent(item.mean)} [${percent(item.low)}, ${percent(item.high)}]`,
            ]),
          )
        : h('p.muted', {}, 'No outcomes yet.'),
    )
  fill(holder, h('div.columns', {}, list('Best', best), list('Worst', worst)))
}

async function one(root, { project, go }, collection, id) {
  const item = await get(`/knowledge/items/${collection}/${id}`, { project })
  const { uplift } = item
  const edited = h('textarea.code', { rows: 14, spellcheck: 'false' }, JSON.stringify(item.fields, null, 2))
  const save = h('button.primary', { type: 'submit' }, 'Save')
  const endorse = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        act(endorse, () => change({ endorsement_count: (item.fields.endorsement_count ?? 0) + 1 }, 'Endorsed.')),
    },
    'Endorse',
  )
  const discard = h('button.danger', { type: 'button' }, 'Delete')
  discard.addEventListener('click', () => {
    if (discard.dataset.sure !== 'yes') {
      discard.dataset.sure = 'yes'
      discard.textContent = 'Really delete?'
      return
    }
    act(discard, async () => {
      await remove(`/knowledge/items/${collection}/${id}?project=${encodeURIComponent(project)}`)
      toast('Deleted.')
      go(`#/knowledge/${collection}`)
    })
  })
  const change = async (fields, said) => {
    await patch(`/knowledge/items/${collection}/${id}`, { project, fields })
    toast(said)
    go(location.hash)
  }
  fill(
    root,
    h('p', {}, h('a', { href: `#/knowledge/${collection}` }, `← ${collection}`)),
    card(
      beginning(String(titleOf(item)), 120),
      h(
        'dl.figures',
        {},
        ...[
          ['Source', [item.source, item.path].filter(Boolean).join(': ') || 'written by hand'],
          ['Tracked uses with an outcome', figure('item.access_count', item.access_count)],
          ['Success rate', percent(item.success_rate)],
          [
            'Effect on success',
            uplift.difference === null
              ? 'unknown'
              : `${decimal(uplift.difference)}${uplift.interval ? ` [${decimal(uplift.interval.low)}, ${decimal(uplift.interval.high)}]` : ''} (${uplift.shown} shown, ${uplift.held_out} held out)`,
          ],
          ['Changed', ago(item.updated_at)],
        ].flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
      ),
      item.suspected_instructions
        ? h(
            'p.error',
            {},
            `The text reads like instructions to a model (${item.suspected_instructions.join(', ')}): it is only ever quoted.`,
          )
        : null,
      evidence(item),
    ),
    card(
      'Fields',
      h(
        'form.stack',
        {
          onsubmit: (event) => {
            event.preventDefault()
            act(save, async () => {
              let fields
              try {
                fields = JSON.parse(edited.value)
              } catch (error) {
                throw new Error(`This is not JSON: ${error.message}`)
              }
              await change(fields, 'Saved.')
            })
          },
        },
        field('Fields as JSON', edited),
        h('div.row', {}, save, collection === 'best-practices' ? endorse : null, discard),
      ),
    ),
  )
}

/** What a pattern or solution rests on. */
function evidence({ fields }) {
  const parts = [
    ['success_examples', 'It worked for'],
    ['failure_examples', 'It failed for'],
  ].filter(([name]) => Array.isArray(fields[name]) && fields[name].length > 0)
  return h(
    'div',
    {},
    ...parts.map(([name, title]) =>
      h(
        'div',
        {},
        h('h3', {}, title),
        h('ul.plain', {}, ...fields[name].slice(0, 10).map((text) => h('li', {}, beginning(String(text), 160)))),
      ),
    ),
  )
}

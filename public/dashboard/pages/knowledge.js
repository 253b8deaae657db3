/** Knowledge: browse by source and file, search, add, edit, delete; and the items that helped. */
import { get, post } from '../api.js'
import { card, field, fill, h, table } from '../dom.js'
import { ago, beginning, count, percent } from '../format.js'
import { empty, explained, form, load, pager, toast } from '../parts.js'
import { itemText, itemTitle } from '../text.js'

export async function render(root, context) {
  const [collection, id, ...rest] = context.item.split('/')
  if (collection === 'sources')
    return (await import('./knowledge-sources.js')).source(root, context, id, rest.join('/'))
  if (id === 'new') return (await import('./knowledge-forms.js')).add(root, context, collection, rest.join('/'))
  if (id) return (await import('./knowledge-item.js')).one(root, context, collection, id)
  return browse(root, context, collection)
}

async function browse(root, { project, query: address, setQuery }, wanted) {
  const { collections } = await get('/collections', { project })
  const collection = collections.some(({ name }) => name === wanted) ? wanted : 'codebase-context'
  const about = collections.find(({ name }) => name === collection)
  const results = h('div')
  const credit = h('div')
  const isCode = collection === 'codebase-context'
  const cursors = ['']
  const page = async (holder = results) => {
    const answer = await get(`/knowledge/items/${collection}`, { project, limit: 50, cursor: cursors.at(-1) })
    fill(
      holder,
      answer.items.length > 0
        ? items(answer.items, isCode)
        : empty(`Nothing in ${collection} yet.`, hintFor(collection, project)),
      answer.degraded.length > 0 ? h('p.error', {}, `Damaged and left out: ${answer.degraded.join(', ')}`) : null,
      pager(cursors, answer.next_cursor, () => page(holder), ['Previous', 'Next']),
    )
  }
  const text = h('input', { type: 'search', maxlength: 1000, value: address.get('q') ?? '' })
  const button = h('button', { type: 'submit' }, 'Search')
  const show = async () => {
    setQuery({ q: text.value.trim() })
    cursors.length = 1
    if (text.value.trim() === '') return isCode ? showSources() : page()
    const { items: listed, results: found } = await post('/search_context', {
      project,
      collection,
      query: text.value,
      limit: 20,
    })
    const list = listed ?? found
    fill(results, list.length > 0 ? rows(list, 'Found, best first') : h('p', {}, 'Nothing was found.'))
  }
  const all = h('div')
  const everything = h(
    'details',
    { ontoggle: () => everything.open && page(all).catch((error) => toast(error.message, 'bad')) },
    h('summary', {}, 'All items, in no order'),
    all,
  )
  const showSources = async () => {
    const { sources } = await import('./knowledge-sources.js')
    fill(results, await sources(project, collection), everything)
  }
  fill(
    root,
    h(
      'ul.tabs',
      { 'aria-label': 'Collections' },
      ...collections.map(({ name, items: n }) =>
        h(
          'li',
          {},
          h(
            'a',
            { href: `#/knowledge/${name}`, 'aria-current': name === collection ? 'true' : null },
            name,
            h('span.count', {}, count(n)),
          ),
        ),
      ),
    ),
    h('p.muted', {}, about?.description ?? ''),
    form(
      'form.row.filters',
      button,
      show,
      field(`Search ${collection}`, text),
      button,
      collection === 'interaction-history'
        ? null
        : h('a.button.primary', { href: `#/knowledge/${collection}/new/` }, 'Add'),
    ),
    results,
    card('What has helped and what has not', credit),
  )
  await Promise.all([show(), load(credit, () => helped(project, collection))])
}

const hintFor = (collection, project) =>
  collection === 'codebase-context'
    ? `npm run ingest -- ~/code/my-project --project ${project}`
    : collection === 'interaction-history'
      ? `npm run connect -- claude-code --project ${project}`
      : collection === 'skills-patterns' || collection === 'learning-feedback'
        ? null
        : `npm run ingest -- ~/notes --collection ${collection} --project ${project}`

/** Items with the beginning of their text. Code is grouped by file. */
export function items(list, grouped) {
  if (!grouped) return rows(list, 'Items')
  const files = Map.groupBy(list, ({ fields, key }) => fields.file_path ?? key)
  return h(
    'div.files',
    {},
    ...[...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, pieces]) => file(path, pieces, files.size === 1)),
  )
}

/** The chunks of one file, ordered by line. */
export function file(path, pieces, open = false) {
  const ordered = pieces.toSorted((a, b) => (a.fields.start_line ?? 0) - (b.fields.start_line ?? 0))
  return h(
    'details.file',
    { open },
    h(
      'summary',
      {},
      h('code', {}, path),
      h('span.muted', {}, ` ${pieces.length === 1 ? '1 piece' : `${count(pieces.length)} pieces`}`),
    ),
    table(
      `Pieces of ${path}`,
      ['Lines', 'Symbol', 'Begins', 'Helped'],
      ordered.map((item) => [
        h('a', { href: `#/knowledge/${item.collection}/${item.id}` }, linesOf(item)),
        h('span.anywhere', {}, beginning((item.fields.symbols ?? []).join(', ') || '–', 60)),
        h('code.anywhere', {}, beginning(firstLine(item.fields.code_snippet ?? ''), 70)),
        item.success_rate === null ? '–' : percent(item.success_rate),
      ]),
    ),
  )
}

const linesOf = ({ fields }) =>
  fields.start_line ? `${fields.start_line}–${fields.end_line ?? fields.start_line}` : 'whole'

const firstLine = (text) => text.split('\n').find((line) => /\w/.test(line)) ?? ''

function rows(list, caption) {
  return table(
    caption,
    [
      'Item',
      explained('Helped', 'Share of the answers that were shown this item and succeeded.'),
      explained('Used', 'Answers that were shown this item and have an outcome.'),
      'Changed',
    ],
    list.map((item) => [
      h(
        'div',
        {},
        h('a', { href: `#/knowledge/${item.collection}/${item.id}` }, beginning(String(itemTitle(item)), 110)),
        h('div.muted.anywhere', {}, beginning(itemText(item), 140)),
      ),
      item.success_rate === null ? h('span.muted', {}, 'unknown') : percent(item.success_rate),
      count(item.access_count),
      ago(item.updated_at),
    ]),
  )
}

/** The items of this collection with outcomes for or against them. */
async function helped(project, collection) {
  const [best, worst] = await Promise.all(
    ['best', 'worst'].map((order) => get('/learning/credit', { project, collection, order, limit: 5 })),
  )
  const list = (title, own, none) =>
    h(
      'div',
      {},
      h('h3', {}, title),
      own.length > 0
        ? table(
            title,
            [
              'Item',
              'Worked',
              'Failed',
              explained('Success rate', 'Estimate with an 80 % interval; few outcomes leave it wide.'),
            ],
            own.map((item) => [
              item.title === null
                ? h('span.muted', {}, 'deleted item')
                : h('a', { href: `#/knowledge/${item.context_id}` }, beginning(item.title, 70)),
              count(item.successes),
              count(item.failures),
              h('span.nowrap', {}, `${percent(item.mean)} [${percent(item.low)}, ${percent(item.high)}]`),
            ]),
          )
        : h('p.muted', {}, none),
    )
  return h(
    'div.columns',
    {},
    list(
      'Best',
      best.items.filter(({ mean, usual }) => mean > usual),
      'None is above the usual rate yet.',
    ),
    list(
      'Worst',
      worst.items.filter(({ mean, usual }) => mean < usual),
      'None is below the usual rate yet.',
    ),
  )
}

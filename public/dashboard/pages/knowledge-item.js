/** One item: its content, its results, and an edit form. */
import { get, patch, remove } from '../api.js'
import { card, facts, fill, h } from '../dom.js'
import { ago, beginning, decimal, figure, percent } from '../format.js'
import { action, deletion, explained, toast } from '../parts.js'
import { itemText, itemTitle, passage } from '../text.js'
import { editForm, FORMS } from './knowledge-forms.js'

const PROVENANCE = {
  human: 'written by a person',
  verified_outcome: 'from an answer that worked',
  model: 'written by a model',
  imported: 'copied from its source',
}

export async function one(root, { project, go, title }, collection, id) {
  const item = await get(`/knowledge/items/${collection}/${id}`, { project })
  const name = String(itemTitle(item))
  title(beginning(name, 60))
  const ingested = item.source !== null
  const back = ingested
    ? `#/knowledge/sources/${collection}/${encodeURIComponent(item.source)}`
    : `#/knowledge/${collection}`
  const again = () => go(location.hash)
  const endorsed = item.fields.endorsement_count ?? 0
  fill(
    root,
    h('p', {}, h('a', { href: back }, `← ${ingested ? item.source : collection}`)),
    item.suspected_instructions
      ? h(
          'p.error',
          {},
          `The text reads like instructions to a model (${item.suspected_instructions.join(', ')}): it is only ever quoted.`,
        )
      : null,
    card(
      'Text',
      passage({ source: name, text: itemText(item), ...(collection !== 'codebase-context' && { prose: true }) }),
      evidence(item),
    ),
    h(
      'div.columns',
      {},
      card('How it did', results(item)),
      card(
        'Actions',
        ingested
          ? h(
              'p.note',
              {},
              `It comes from the source ${item.source}. The next ingestion brings back what the file says, so change the file instead.`,
            )
          : null,
        h(
          'div.row',
          {},
          collection === 'best-practices'
            ? action(`Endorse (${endorsed})`, async () => {
                await patch(`/knowledge/items/${collection}/${id}`, {
                  project,
                  fields: { endorsement_count: endorsed + 1 },
                })
                toast('Endorsed.')
                again()
              })
            : null,
          deletion('Delete', async () => {
            await remove(`/knowledge/items/${collection}/${id}?project=${encodeURIComponent(project)}`)
            toast('Deleted.')
            go(`#/knowledge/${collection}`)
          }),
        ),
      ),
    ),
    FORMS[collection]
      ? h(
          'details.card',
          { open: !ingested },
          h('summary', {}, 'Change it'),
          editForm({ project, collection, item, done: again }),
        )
      : null,
    h(
      'details.card',
      {},
      h('summary', {}, 'All fields'),
      h('pre.text', { tabindex: '0' }, JSON.stringify(item.fields, null, 2)),
    ),
  )
}

function results(item) {
  const { uplift } = item
  return facts([
    ['Source', [item.source, item.path].filter(Boolean).join(': ') || 'written by hand'],
    ['Provenance', PROVENANCE[item.provenance] ?? item.provenance.replaceAll('_', ' ')],
    [
      explained('Uses with an outcome', 'Answers that were shown this item and have an outcome.'),
      figure('item.access_count', item.access_count),
    ],
    ['Success rate', percent(item.success_rate)],
    [
      explained('Effect on success', 'Success when it is shown, minus success when it was left out at random.'),
      uplift.difference === null
        ? 'unknown'
        : `${decimal(uplift.difference)}${uplift.interval ? ` [${decimal(uplift.interval.low)}, ${decimal(uplift.interval.high)}]` : ''} (${uplift.shown} shown, ${uplift.held_out} left out)`,
    ],
    ['Changed', ago(item.updated_at)],
  ])
}

/** The sources of a pattern or solution. */
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

/** Sources of ingested knowledge: age, files, how to ingest them again, and removal. */
import { get, post, remove } from '../api.js'
import { card, fill, h, table } from '../dom.js'
import { ago, count, duration } from '../format.js'
import { copyButton, deletion, empty, load, pager, toast } from '../parts.js'
import { file } from './knowledge.js'

/** A source that was not written for this long may differ from its folder, in milliseconds. */
const OLD_MS = 7 * 86_400_000
const FILES = 50

/** All sources of a collection. Only the machine with the folder can tell how far a source differs from it. */
export async function sources(project, collection) {
  const { sources: all } = await get('/knowledge/sources', { project, limit: 1000 })
  const own = all.filter((entry) => entry.collection === collection)
  if (own.length === 0)
    return empty('Nothing has been read yet:', `npm run ingest -- ~/code/my-project --project ${project}`)
  return h(
    'div',
    {},
    table(
      'Sources',
      ['Source', 'Files', 'Last change', ''],
      own.map((entry) => [
        h('a', { href: `#/knowledge/sources/${collection}/${encodeURIComponent(entry.source)}` }, entry.source),
        count(entry.documents),
        h('span', {}, entry.written_at === null ? 'unknown' : ago(entry.written_at), ' ', freshness(entry.written_at)),
        h(
          'span.row',
          {},
          h(
            'a.button.small',
            { href: `#/knowledge/sources/${collection}/${encodeURIComponent(entry.source)}` },
            'Files',
          ),
          copyButton(ingestAgain(project, collection, entry.source), 'Copy command to ingest again'),
        ),
      ]),
    ),
    h(
      'p.muted.row',
      {},
      h('span', {}, 'Files that changed since are listed by'),
      h('code', {}, `npm run sources -- --project ${project}`),
      copyButton(`npm run sources -- --project ${project}`),
    ),
  )
}

/** The command that ingests a source again; only the person knows its folder. */
function ingestAgain(project, collection, name) {
  return `npm run ingest -- FOLDER --project ${project} --source ${quoted(name)}${collection === 'codebase-context' ? '' : ` --collection ${collection}`}`
}

function freshness(at) {
  if (at === null) return null
  const age = Date.now() - at
  return age > OLD_MS ? h('span.mark.fair', {}, `nothing new for ${duration(age)}`) : h('span.mark.good', {}, 'recent')
}

/** One source: its files ordered by path, each with its chunks. */
export async function source(root, { project, go, title }, collection, name) {
  title(name)
  const again = ingestAgain(project, collection, name)
  const files = h('div')
  const cursors = ['']
  const page = async () => {
    const { documents, next_cursor: next } = await get('/knowledge/documents', {
      project,
      collection,
      source: name,
      limit: FILES,
      cursor: cursors.at(-1),
    })
    fill(
      files,
      documents.length > 0
        ? h('div.files', {}, ...documents.map((document) => unread(project, collection, document)))
        : empty('This source holds no files.'),
      pager(cursors, next, page, ['Previous', 'Next']),
    )
  }
  fill(
    root,
    h('p', {}, h('a', { href: `#/knowledge/${collection}` }, `← ${collection}`)),
    card(
      'Keep it fresh',
      h('p', {}, 'Run this where the folder is. Only files that changed are read again; what is gone is removed.'),
      h('div.copyable', {}, h('pre', { tabindex: '0' }, h('code', {}, again)), copyButton(again)),
      h('p.muted', {}, 'Add --watch to keep reading, or put it into a git hook.'),
      h(
        'div.row',
        {},
        deletion('Remove this source', async () => {
          const removed = await removeSource(project, collection, name)
          toast(`${count(removed)} files and their items were removed.`)
          go(`#/knowledge/${collection}`)
        }),
      ),
    ),
    card('Files', files),
  )
  await page()
}

const quoted = (text) => (/^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

/** A file whose chunks are loaded when it is opened. */
function unread(project, collection, { path, items: n }) {
  const body = h('div')
  const element = h(
    'details.file',
    {
      ontoggle: () => {
        if (!element.open || body.dataset.read) return
        body.dataset.read = 'yes'
        load(body, async () => {
          const { items } = await get(`/knowledge/items/${collection}`, {
            project,
            limit: 100,
            filter: JSON.stringify({ file_path: path.replace(/#part-\d+$/, '') }),
          })
          return items.length > 0 ? file(path, items, true).lastChild : h('p.muted', {}, 'Its pieces carry no path.')
        })
      },
    },
    h('summary', {}, h('code', {}, path), h('span.muted', {}, ` ${n === 1 ? '1 piece' : `${count(n)} pieces`}`)),
    body,
  )
  return element
}

/** Deletes all data of a source. Returns the number of files. */
async function removeSource(project, collection, source) {
  let removed = 0
  for (;;) {
    const { documents } = await get('/knowledge/documents', { project, collection, source, limit: 500 })
    if (documents.length === 0) return removed
    for (const { hash } of documents) {
      // A document for a single item has the item's id at the end of its hash.
      const item = / k=(\S+)$/.exec(hash)?.[1]
      if (item)
        await remove(`/knowledge/items/${collection}/${item}?project=${encodeURIComponent(project)}`).catch(gone)
    }
    const paths = documents.map(({ path }) => path)
    const answer = await post('/knowledge/documents/delete', { project, collection, source, paths })
    removed += answer.documents
    if (answer.documents === 0) return removed
  }
}

function gone(error) {
  if (error.status !== 404) throw error
}

/** What was learnt, as files for fine-tuning. */
import { download, get, post, remove } from '../api.js'
import { act, card, empty, field, fill, h, select, table, toast } from '../dom.js'
import { ago, bytes, count, figure } from '../format.js'

const FORMATS = ['openai-chat', 'sharegpt', 'alpaca', 'dpo', 'kto']

export async function render(root, { project }) {
  const list = h('div')
  const detail = h('div', { 'aria-live': 'polite' })
  const load = async () => {
    const { datasets } = await get('/learning/datasets', { project, limit: 50 })
    fill(
      list,
      datasets.length > 0
        ? table(
            'Datasets, newest first',
            ['Format', 'Rows', 'Size', 'Made', ''],
            datasets.map((dataset) => [
              h('button.link', { type: 'button', onclick: () => show(detail, dataset, load) }, dataset.format),
              figure(`dataset.${dataset.dataset_id}.rows`, dataset.rows),
              bytes(dataset.bytes),
              ago(dataset.created_at),
              h(
                'button',
                {
                  type: 'button',
                  onclick: (event) =>
                    act(event.target, () =>
                      download(dataset.download_url, `${dataset.format}-${dataset.sha256.slice(0, 8)}.jsonl`),
                    ),
                },
                'Download',
              ),
            ]),
          )
        : empty(
            'No dataset was made yet. It takes successful answers of high value, or corrections; every night one is made by itself.',
          ),
    )
  }
  const format = select(
    FORMATS.map((name) => [name, name]),
    'openai-chat',
  )
  const incremental = h('input', { type: 'checkbox' })
  const button = h('button.primary', { type: 'submit' }, 'Export now')
  const progress = h('p.muted', { role: 'status' })
  fill(
    root,
    card(
      'Export',
      h(
        'form.row',
        {
          onsubmit: (event) => {
            event.preventDefault()
            act(button, async () => {
              const started = Date.now()
              const clock = setInterval(() => {
                progress.textContent = `Exporting… ${Math.round((Date.now() - started) / 1000)} s`
              }, 500)
              progress.textContent = 'Exporting…'
              try {
                const made = await post('/learning/export', {
                  project,
                  format: format.value,
                  incremental: incremental.checked,
                })
                progress.textContent = ''
                toast(
                  made.status === 'created'
                    ? `${count(made.rows)} rows were exported.`
                    : 'Nothing has changed since the last export: it is the same file.',
                )
                await load()
                show(detail, made, load)
              } finally {
                clearInterval(clock)
                progress.textContent = ''
              }
            })
          },
        },
        field('Format', format),
        h('label.check', {}, incremental, 'Only what is new'),
        button,
        progress,
      ),
    ),
    card('Datasets', list),
    detail,
  )
  await load()
  return load
}

async function show(detail, dataset, load) {
  const discard = h('button.danger', { type: 'button' }, 'Delete')
  discard.addEventListener('click', () => {
    if (discard.dataset.sure !== 'yes') {
      discard.dataset.sure = 'yes'
      discard.textContent = 'Really delete?'
      return
    }
    act(discard, async () => {
      await remove(`/learning/datasets/${dataset.dataset_id}`)
      fill(detail)
      toast('Deleted.')
      await load()
    })
  })
  const preview = h('pre.text', { tabindex: '0' }, 'Loading…')
  fill(
    detail,
    card(
      'Datasheet',
      h(
        'pre.text',
        { tabindex: '0' },
        JSON.stringify(
          {
            dataset_path: dataset.dataset_path,
            sha256: dataset.sha256,
            rows: dataset.rows,
            filters: dataset.filters,
            skipped: dataset.skipped,
            sheet: dataset.sheet,
          },
          null,
          2,
        ),
      ),
      h('div.row', {}, discard),
    ),
    card('First rows', preview),
  )
  const { stored } = await import('./preview.js')
  preview.textContent = (await stored(dataset.download_url)) || 'The dataset is empty.'
}

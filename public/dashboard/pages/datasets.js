/** Learnt data as files for fine-tuning. */
import { download, get, post, remove, resultOf } from '../api.js'
import { card, facts, field, fill, h, select, table } from '../dom.js'
import { ago, bytes, count, figure } from '../format.js'
import { action, deletion, empty, form, load as loadInto, toast } from '../parts.js'

const FORMATS = {
  'openai-chat': 'Messages of chats: OpenAI fine-tuning, TRL SFTTrainer, Unsloth.',
  sharegpt: 'Conversations: Axolotl, Unsloth.',
  alpaca: 'Instruction and output: older trainers.',
  dpo: 'A correction against the answer that it corrects: TRL DPOTrainer.',
  kto: 'Answers with a verdict, good and bad ones: TRL KTOTrainer.',
}
const REASONS = {
  outcome: 'another outcome',
  score: 'value score too low',
  value_score: 'value score too low',
  disliked: 'rated down',
  corrected: 'corrected later',
  duplicate: 'the same as another row',
  exported_before: 'in an earlier dataset',
  other_split: 'on the other side of the split',
  thinking_only: 'nothing but thinking',
}
const reason = (name) => REASONS[name] ?? name.replaceAll('_', ' ')

export async function render(root, { project }) {
  const list = h('div')
  const detail = h('div', { 'aria-live': 'polite' })
  const preview = h('div', { 'aria-live': 'polite' })
  const load = async () => {
    const { datasets } = await get('/learning/datasets', { project, limit: 50 })
    fill(
      list,
      datasets.length > 0
        ? table(
            'Datasets, newest first',
            ['Format', 'Rows', 'Size', 'Created', ''],
            datasets.map((dataset) => [
              h('button.link', { type: 'button', onclick: () => show(detail, dataset, load) }, dataset.format),
              figure(`dataset.${dataset.dataset_id}.rows`, dataset.rows),
              bytes(dataset.bytes),
              ago(dataset.created_at),
              action('Download', () =>
                download(dataset.download_url, `${dataset.format}-${dataset.sha256.slice(0, 8)}.jsonl`),
              ),
            ]),
          )
        : empty(
            'No dataset yet. One is created every night, as soon as there are successful answers of high value, or corrections.',
          ),
    )
  }
  const format = select(
    Object.keys(FORMATS).map((name) => [name, name]),
    'openai-chat',
  )
  const meaning = h('p.muted', {}, FORMATS[format.value])
  const score = h('input', { type: 'number', min: 0, max: 1, step: 0.05, placeholder: 'default' })
  const incremental = h('input', { type: 'checkbox' })
  const button = h('button.primary', { type: 'submit' }, 'Export now')
  const wanted = () => ({
    project,
    format: format.value,
    incremental: incremental.checked,
    ...(score.value !== '' && { min_value_score: Number(score.value) }),
  })
  const look = () =>
    loadInto(preview, async () => {
      const asked = wanted()
      const { rows, skipped, examples } = await post('/learning/export/preview', asked)
      return previewed(rows, skipped, examples)
    })
  for (const control of [format, score, incremental])
    control.addEventListener('change', () => {
      meaning.textContent = FORMATS[format.value]
      look()
    })
  fill(
    root,
    card(
      'Export',
      form(
        'form.stack',
        button,
        async () => {
          const made = await resultOf(await post('/learning/export', wanted()))
          toast(
            made.status === 'created'
              ? `${count(made.rows)} rows were exported.`
              : 'Nothing has changed since the last export: it is the same file.',
          )
          await load()
          show(detail, made, load)
        },
        h(
          'div.row',
          {},
          field('Format', format),
          field('Minimum value score', score),
          h('label.check', {}, incremental, 'Only what is new'),
          button,
        ),
        meaning,
      ),
      preview,
      h(
        'p.muted',
        {},
        'Secrets are replaced and counted. Near-identical questions stay together when you split into training and validation by the API.',
      ),
    ),
    card('Datasets', list),
    detail,
  )
  await Promise.all([load(), look()])
  return load
}

/** The number of rows in an export, the rows it would leave out, and the first rows. */
function previewed(rows, skipped, examples) {
  const left = Object.entries(skipped).filter(([, n]) => n > 0)
  return h(
    'div.note',
    {},
    h('p', {}, h('strong', {}, figure('preview.rows', rows), rows === 1 ? ' row' : ' rows'), ' would be exported.'),
    left.length > 0
      ? h('p', {}, `Left out: ${left.map(([name, n]) => `${count(n)} (${reason(name)})`).join(', ')}.`)
      : null,
    examples.length > 0
      ? h(
          'details',
          {},
          h('summary', {}, 'First rows'),
          h('pre.text', { tabindex: '0' }, examples.map(pretty).join('\n')),
        )
      : null,
  )
}

function pretty(line) {
  try {
    return JSON.stringify(JSON.parse(line), null, 2)
  } catch {
    return line
  }
}

/** Shows the datasheet and the first rows of the file. */
async function show(detail, dataset, load) {
  const preview = h('pre.text', { tabindex: '0' }, 'Loading…')
  const { filters, skipped, sheet } = dataset
  const plain = (value) =>
    value === null || value === undefined || value === ''
      ? 'any'
      : Array.isArray(value)
        ? value.join(', ') || 'any'
        : typeof value === 'object'
          ? Object.entries(value)
              .map(
                ([name, one]) => `${name.replaceAll('_', ' ')}: ${typeof one === 'object' ? JSON.stringify(one) : one}`,
              )
              .join(', ') || 'none'
          : String(value)
  const rows = (values) =>
    facts(Object.entries(values).map(([name, value]) => [name.replaceAll('_', ' '), plain(value)]))
  fill(
    detail,
    card(
      'Datasheet',
      facts([
        ['Rows', count(dataset.rows)],
        ['Size', bytes(dataset.bytes)],
        ['Created', ago(dataset.created_at)],
        ['File', h('code', {}, dataset.dataset_path)],
        ['SHA-256', h('code', {}, dataset.sha256)],
      ]),
      h('h3', {}, 'What is in it'),
      rows(sheet),
      h('h3', {}, 'Settings'),
      rows(filters),
      h('h3', {}, 'Left out'),
      Object.keys(skipped).length > 0
        ? facts(Object.entries(skipped).map(([name, n]) => [reason(name), count(n)]))
        : h('p.muted', {}, 'Nothing.'),
      h(
        'div.row',
        {},
        deletion('Delete', async () => {
          await remove(`/learning/datasets/${dataset.dataset_id}`)
          fill(detail)
          toast('Deleted.')
          await load()
        }),
      ),
    ),
    card('First rows', preview),
  )
  const { stored } = await import('./preview.js')
  preview.textContent = (await stored(dataset.download_url)) || 'The dataset is empty.'
}

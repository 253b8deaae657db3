/** Keys, engines and their health, and every variable. */
import { get, post, remove } from '../api.js'
import { act, card, empty, field, fill, h, table, toast } from '../dom.js'
import { ago, duration } from '../format.js'

const SCOPES = ['read', 'write', 'learn', 'admin']

export async function render(root) {
  const keys = h('div')
  const engines = h('div')
  const variables = h('div')
  const shown = h('div', { 'aria-live': 'assertive' })
  fill(
    root,
    card(
      'API keys',
      shown,
      keys,
      h('h3', {}, 'Make a key'),
      keyForm(shown, () => showKeys(keys)),
    ),
    card('Engines', engines),
    card('Variables', variables),
  )
  await Promise.all([showKeys(keys), showEngines(engines), showVariables(variables)])
  return () => showEngines(engines)
}

async function showKeys(holder) {
  const answer = await get('/keys', { limit: 100 }).catch((error) => ({ error }))
  if (answer.error) {
    fill(holder, h('p.muted', {}, `Keys can't be shown: ${answer.error.message}`))
    return
  }
  fill(
    holder,
    answer.keys.length > 0
      ? table(
          'API keys',
          ['Name', 'Key', 'Scopes', 'Project', 'State', 'Last used', ''],
          answer.keys.map((key) => {
            const revoke = h(
              'button.danger',
              {
                type: 'button',
                'aria-label': `Revoke ${key.name}`,
                onclick: () =>
                  act(revoke, async () => {
                    await remove(`/keys/${key.key_id}`)
                    toast(`${key.name} is revoked.`)
                    await showKeys(holder)
                  }),
              },
              'Revoke',
            )
            return [
              key.name,
              h('code', {}, `${key.prefix}…`),
              key.scopes.join(', '),
              key.project ?? 'all',
              h(`span.mark.${key.state === 'active' ? 'good' : 'none'}`, {}, key.state),
              ago(key.last_used_at),
              key.state === 'active' ? revoke : null,
            ]
          }),
        )
      : empty('There are no keys besides HYBRID_API_KEY.'),
  )
}

function keyForm(shown, reload) {
  const name = h('input', { maxlength: 200, required: true })
  const project = h('input', { maxlength: 200 })
  const days = h('input', { type: 'number', min: 1, max: 3650 })
  const boxes = SCOPES.map((scope) =>
    h('label.check', {}, h('input', { type: 'checkbox', value: scope, checked: scope === 'read' }), scope),
  )
  const button = h('button.primary', { type: 'submit' }, 'Make')
  return h(
    'form.stack',
    {
      onsubmit: (event) => {
        event.preventDefault()
        act(button, async () => {
          const scopes = boxes
            .map((box) => box.querySelector('input'))
            .filter(({ checked }) => checked)
            .map(({ value }) => value)
          const made = await post('/keys', {
            name: name.value,
            scopes,
            ...(project.value && { project: project.value }),
            ...(days.value && { expires_in_days: Number(days.value) }),
          })
          fill(
            shown,
            h(
              'div.note',
              { role: 'alert' },
              h('p', {}, 'Keep it now: it is not stored and can not be shown again.'),
              h('code.key', { id: 'made-key' }, made.key),
            ),
          )
          name.value = ''
          await reload()
        })
      },
    },
    h('div.row', {}, field('Name', name), field('Only project', project), field('Days until it expires', days)),
    h('fieldset', {}, h('legend', {}, 'Scopes'), h('div.row', {}, ...boxes)),
    button,
  )
}

async function showEngines(holder) {
  const { dependencies, not_configured: missing, embedding_space: space } = await get('/ready')
  fill(
    holder,
    table(
      'Engines and their health',
      ['Engine', 'Uses', 'State', 'Breaker', 'Last failure', 'Asked'],
      dependencies.map((entry) => [
        entry.name.replaceAll('_', ' '),
        entry.uses,
        h(
          `span.mark.${entry.state === 'ok' ? 'good' : entry.state === 'down' ? 'bad' : 'fair'}`,
          {},
          entry.error ? `${entry.state}: ${entry.error}` : entry.state,
        ),
        entry.breaker ?? '–',
        entry.last_failure ?? '–',
        `${duration(entry.age_ms)} ago, ${entry.latency_ms} ms`,
      ]),
    ),
    h(
      'p.muted',
      {},
      `Embedding space in use: ${space}. Not configured: ${missing.map((name) => name.replaceAll('_', ' ')).join(', ') || 'nothing'}.`,
    ),
  )
}

async function showVariables(holder) {
  const answer = await get('/settings').catch((error) => ({ error }))
  if (answer.error) {
    fill(holder, h('p.muted', {}, 'The variables are shown to admin keys.'))
    return
  }
  fill(
    holder,
    table(
      'Variables',
      ['Variable', 'Value', 'From', 'Meaning'],
      answer.settings.map(({ name, value, source, meaning }) => [
        h('code', {}, name),
        value === null ? (source === 'secret' ? 'set, not shown' : '–') : h('code', {}, value),
        source,
        meaning,
      ]),
    ),
  )
}

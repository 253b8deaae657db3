/** Keys, engines and their health, and all variables with their meaning and where they are set. */
import { get, post, remove } from '../api.js'
import { card, field, fill, h, select, table } from '../dom.js'
import { ago, duration } from '../format.js'
import { copyable, copyButton, deletion, empty, form, toast } from '../parts.js'
import { variables } from './settings-variables.js'

const SCOPES = {
  read: 'ask and search',
  write: 'store knowledge, keep conversations',
  learn: 'track answers, report outcomes, export',
  admin: 'keys, settings, deletion',
}
/** The permissions that each kind of client needs, and how to use the key. */
const PRESETS = {
  agent: [
    'Coding agent (Claude Code, Codex, Cursor …)',
    ['read', 'write', 'learn'],
    'agent',
    (key, project) =>
      `npm run connect -- claude-code --url ${location.origin} --key ${key}${project ? ` --project ${project}` : ''}`,
  ],
  openai: [
    'OpenAI client (/v1)',
    ['read', 'write'],
    'openai-client',
    (key) => `export OPENAI_BASE_URL=${location.origin}/v1 OPENAI_API_KEY=${key}`,
  ],
  ci: [
    'CI that tracks and ingests',
    ['read', 'write', 'learn'],
    'ci',
    (key) => `export HYBRID_URL=${location.origin} HYBRID_API_KEY=${key}`,
  ],
  dashboard: ['Dashboard', ['read', 'write', 'learn'], 'dashboard', null],
  monitoring: [
    'Monitoring (Prometheus)',
    ['read'],
    'monitoring',
    (key) => `curl -sf ${location.origin}/metrics -H 'X-API-Key: ${key}'`,
  ],
  custom: ['Something else', ['read'], '', null],
}

export async function render(root) {
  const keys = h('div')
  const engines = h('div')
  const settings = h('div')
  const shown = h('div', { 'aria-live': 'assertive' })
  fill(
    root,
    card(
      'API keys',
      shown,
      keys,
      h('h3', {}, 'Create a key'),
      keyForm(shown, () => showKeys(keys)),
    ),
    card('Engines', engines),
    card('Variables', settings),
  )
  await Promise.all([showKeys(keys), showEngines(engines), variables(settings)])
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
          answer.keys.map((key) => [
            key.name,
            h('code', {}, `${key.prefix}…`),
            key.scopes.join(', '),
            key.project ?? 'all',
            h(`span.mark.${key.state === 'active' ? 'good' : 'none'}`, {}, key.state),
            ago(key.last_used_at),
            key.state === 'active'
              ? deletion(
                  'Revoke',
                  async () => {
                    await remove(`/keys/${key.key_id}`)
                    toast(`${key.name} is revoked.`)
                    await showKeys(holder)
                  },
                  `Revoke ${key.name}`,
                )
              : null,
          ]),
        )
      : empty(
          'No keys yet. Without a key only this machine is served; a deployed coordinator also has HYBRID_API_KEY, the admin key.',
        ),
  )
}

function keyForm(shown, reload) {
  const name = h('input', { maxlength: 200, required: true })
  const project = h('input', { maxlength: 64, placeholder: 'all projects' })
  const days = h('input', { type: 'number', min: 1, max: 3650, placeholder: 'never' })
  const boxes = Object.entries(SCOPES).map(([scope, meaning]) =>
    h(
      'label.check',
      {},
      h('input', { type: 'checkbox', value: scope }),
      h('span', {}, h('b', {}, scope), `: ${meaning}`),
    ),
  )
  const inputs = boxes.map((box) => box.querySelector('input'))
  let suggested = ''
  const use = () => {
    const [, scopes, suggestion] = PRESETS[preset.value]
    for (const input of inputs) input.checked = scopes.includes(input.value)
    if (name.value === suggested) name.value = suggestion
    suggested = suggestion
  }
  const preset = select(
    Object.entries(PRESETS).map(([key, [label]]) => [key, label]),
    'agent',
    use,
  )
  use()
  const button = h('button.primary', { type: 'submit' }, 'Create key')
  return form(
    'form.stack',
    button,
    async () => {
      const made = await post('/keys', {
        name: name.value,
        scopes: inputs.filter(({ checked }) => checked).map(({ value }) => value),
        ...(project.value && { project: project.value }),
        ...(days.value && { expires_in_days: Number(days.value) }),
      })
      const command = PRESETS[preset.value][3]?.(made.key, project.value)
      fill(
        shown,
        h(
          'div.note',
          { role: 'alert' },
          h('p', {}, 'Keep it now: it is not stored and cannot be shown again.'),
          h('p.row', {}, h('code.key', { id: 'made-key' }, made.key), copyButton(made.key)),
          command ? copyable(command) : null,
        ),
      )
      name.value = ''
      suggested = ''
      await reload()
    },
    h(
      'div.row',
      {},
      field('For', preset),
      field('Name', name),
      field('Limit to project', project),
      field('Days until it expires', days),
    ),
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
      ['Engine', 'Uses', 'State', 'Last failure', 'Checked'],
      dependencies.map((entry) => [
        entry.name.replaceAll('_', ' '),
        entry.uses,
        h(
          `span.mark.${entry.state === 'ok' ? 'good' : entry.state === 'down' ? 'bad' : 'fair'}`,
          {},
          entry.error ? `${entry.state}: ${entry.error}` : entry.state,
          entry.breaker && entry.breaker !== 'closed' ? ' (paused after failures)' : '',
        ),
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

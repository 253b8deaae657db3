/** Background work: failures first, then what waits, and the switches. */
import { get, post } from '../api.js'
import { act, card, empty, field, fill, h, select, table, toast } from '../dom.js'
import { ago, count } from '../format.js'

export async function render(root, { project }) {
  const list = h('div')
  const switches = h('div')
  let status = ''
  const load = async () => {
    const { jobs } = await get('/learning/jobs', { project, limit: 50, status })
    fill(
      list,
      jobs.length > 0
        ? table(
            'Jobs, failures first',
            ['Kind', 'About', 'Status', 'Attempts', 'Last error', 'Since', ''],
            failuresFirst(jobs).map((job) => [
              job.kind,
              job.kind.endsWith('interaction')
                ? h('a', { href: `#/interactions/${job.subject}` }, job.subject.slice(0, 13))
                : job.subject.slice(0, 24),
              h(`span.mark.${job.status === 'dead' ? 'bad' : job.status === 'done' ? 'good' : 'none'}`, {}, job.status),
              count(job.attempts),
              job.last_error ?? '–',
              ago(job.updated_at),
              actions(job),
            ]),
          )
        : empty(status ? `No job is ${status}.` : 'No jobs yet. Tracked interactions create them.'),
    )
  }
  const actions = ({ job_id: id, status: state }) => {
    const button = (text, verb, said) => {
      const element = h(
        'button',
        {
          type: 'button',
          onclick: () =>
            act(element, async () => {
              await post(`/learning/jobs/${id}/${verb}`, {})
              toast(said)
              await load()
            }),
        },
        text,
      )
      return element
    }
    return h(
      'span.row',
      {},
      state === 'dead' || state === 'discarded' ? button('Retry', 'retry', 'Retrying.') : null,
      state === 'dead' || state === 'pending' ? button('Discard', 'discard', 'Discarded.') : null,
    )
  }
  const force = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        act(force, async () => {
          const done = await post('/learning/process', { project })
          toast(`${count(done.ran)} jobs ran.`)
          await load()
        }),
    },
    'Process now',
  )
  fill(
    root,
    h(
      'div.row.filters',
      {},
      field(
        'Status',
        select(
          ['', 'pending', 'running', 'done', 'dead', 'discarded'].map((name) => [name, name || 'any']),
          '',
          (event) => {
            status = event.target.value
            load().catch((error) => toast(error.message, 'bad'))
          },
        ),
      ),
      force,
    ),
    list,
    card('Switches', switches),
  )
  await Promise.all([load(), showSwitches(switches)])
  return load
}

/** Failed jobs, then waiting ones, then the rest; newest first within each. */
function failuresFirst(jobs) {
  const rank = ({ status }) => (status === 'dead' ? 0 : status === 'done' || status === 'discarded' ? 2 : 1)
  return [...jobs].sort((a, b) => rank(a) - rank(b))
}

async function showSwitches(holder, change = {}) {
  const state = await post('/learning/control', change).catch((error) => ({ error }))
  if (state.error) {
    fill(holder, h('p.muted', {}, 'These switches apply to all projects and need an admin key.'))
    return
  }
  const calls = h('input', { type: 'number', min: 0, value: state.daily_calls })
  const tokens = h('input', { type: 'number', min: 0, value: state.daily_tokens })
  const pause = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        act(pause, async () => {
          await showSwitches(holder, { paused: !state.paused })
          toast(state.paused ? 'Background work resumed.' : 'Background work is paused; jobs wait.')
        }),
    },
    state.paused ? 'Resume' : 'Pause all background work',
  )
  const save = h('button', { type: 'submit' }, 'Set the budget')
  fill(
    holder,
    h(
      'p',
      {},
      state.paused ? h('strong', {}, 'Paused. ') : 'Running. ',
      `Used today: ${count(state.used_today.calls)} of ${count(state.daily_calls)} model calls, ${count(state.used_today.tokens)} of ${count(state.daily_tokens)} tokens.`,
    ),
    h(
      'form.row',
      {
        onsubmit: (event) => {
          event.preventDefault()
          act(save, async () => {
            await showSwitches(holder, { daily_calls: Number(calls.value), daily_tokens: Number(tokens.value) })
            toast('Saved.')
          })
        },
      },
      field('Model calls a day', calls),
      field('Model tokens a day', tokens),
      save,
      pause,
    ),
  )
}

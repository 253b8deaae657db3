/** Background work: failures first, then pending jobs; finished ones are folded. Also the controls. */
import { get, post } from '../api.js'
import { card, field, fill, h, table } from '../dom.js'
import { ago, count, figure } from '../format.js'
import { act, action, empty, explained, form, pager, toast } from '../parts.js'
import { progressLine } from '../progress.js'

const KINDS = {
  index_interaction: 'Make an interaction searchable',
  score_interaction: 'Score an interaction',
  index_correction: 'Make a correction searchable',
  learn_pattern: 'Extract a pattern',
  train_router: 'Train the router',
  train_ranking: 'Train the ranking',
  embed_collection: 'Embed a collection',
  export_dataset: 'Export a dataset',
  summarise_conversation: 'Summarise a conversation',
  archive_interactions: 'Archive interactions',
  prune_logs: 'Prune logs',
  delete_data: 'Delete data',
}
const kindOf = (kind) => KINDS[kind] ?? kind.replaceAll('_', ' ')
const WAITING = ['pending', 'running']

export async function render(root, { project, query }) {
  const failed = h('div')
  const waiting = h('div')
  const done = h('div')
  const counts = h('div')
  const switches = h('div')
  const cursors = ['']
  const list = async (status, cursor) =>
    get('/learning/jobs', { project, limit: 50, status, ...(cursor && { cursor }) })
  const load = async () => {
    const [stats, dead, pending, running] = await Promise.all([
      get('/learning/stats', { project }),
      list('dead'),
      list('pending'),
      list('running'),
    ])
    progress.watch()
    const waits = [...running.jobs, ...pending.jobs]
    fill(counts, countsByKind(stats.jobs))
    fill(
      failed,
      dead.jobs.length > 0 ? rows('Failed jobs', dead.jobs, load) : h('p.muted', {}, 'No job has failed.'),
      dead.next_cursor ? h('p.muted', {}, 'The latest 50. Retry or discard some to see the rest.') : null,
    )
    fill(
      waiting,
      waits.length > 0 ? rows('Waiting jobs', waits, load) : h('p.muted', {}, 'Nothing is waiting.'),
      action('Process now', async () => {
        const ran = await post('/learning/process', { project })
        toast(ran.ran === 1 ? '1 job ran.' : `${count(ran.ran)} jobs ran.`)
        await load()
      }),
    )
  }
  const past = async () => {
    const page = await list('done', cursors.at(-1))
    fill(
      done,
      page.jobs.length > 0
        ? rows('Finished jobs', page.jobs, load)
        : empty('No jobs yet. Tracked interactions create them.'),
      pager(cursors, page.next_cursor, past),
    )
  }
  const folded = h(
    'details.card',
    {
      open: query.get('status') === 'done',
      ontoggle: () => folded.open && past().catch((error) => toast(error.message, 'bad')),
    },
    h('summary', {}, 'Finished jobs'),
    done,
  )
  const progress = progressLine(project, load)
  fill(
    root,
    card('Failed', failed),
    card('Waiting', progress.element, waiting),
    card('All jobs by kind', counts),
    folded,
    card('Switches, for all projects', switches),
  )
  await Promise.all([load(), showSwitches(switches)])
  return load
}

function countsByKind(jobs) {
  if (jobs.length === 0) return h('p.muted', {}, 'No jobs yet. Tracked interactions create them.')
  const kinds = Map.groupBy(jobs, ({ kind }) => kind)
  const of = (list, ...names) =>
    list.filter(({ status }) => names.includes(status)).reduce((sum, one) => sum + one.count, 0)
  return table(
    'Jobs by kind',
    ['Kind', 'Failed', 'Waiting', 'Finished', explained('Discarded', 'Failed jobs that somebody gave up.')],
    [...kinds].map(([kind, list]) => [
      kindOf(kind),
      figure(`jobs.${kind}.dead`, of(list, 'dead')),
      figure(`jobs.${kind}.waiting`, of(list, ...WAITING)),
      figure(`jobs.${kind}.done`, of(list, 'done')),
      count(of(list, 'discarded')),
    ]),
  )
}

function rows(caption, jobs, load) {
  const button = (job, text, verb, said) =>
    action(
      text,
      async () => {
        await post(`/learning/jobs/${job.job_id}/${verb}`, {})
        toast(said)
        await load()
      },
      { kind: 'small' },
    )
  return table(
    caption,
    ['Kind', 'About', 'Status', 'Attempts', 'Last error', 'Since', ''],
    jobs.map((job) => [
      kindOf(job.kind),
      /interaction$/.test(job.kind) && job.subject
        ? h('a', { href: `#/interactions/${job.subject}` }, 'interaction')
        : h('span.anywhere', {}, job.subject),
      h(
        `span.mark.${job.status === 'dead' ? 'bad' : job.status === 'done' ? 'good' : 'none'}`,
        {},
        job.status === 'dead' ? 'failed' : job.status,
      ),
      count(job.attempts),
      job.last_error ?? '–',
      ago(job.updated_at),
      h(
        'span.row',
        {},
        job.status === 'dead' || job.status === 'discarded' ? button(job, 'Retry', 'retry', 'Retrying.') : null,
        job.status === 'dead' || job.status === 'pending' ? button(job, 'Discard', 'discard', 'Discarded.') : null,
      ),
    ]),
  )
}

async function showSwitches(holder, change = {}) {
  const state = await post('/learning/control', change).catch((error) => ({ error }))
  if (state.error) {
    fill(holder, h('p.muted', {}, 'These switches need an admin key that is not bound to a project.'))
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
    form(
      'form.row',
      save,
      async () => {
        await showSwitches(holder, { daily_calls: Number(calls.value), daily_tokens: Number(tokens.value) })
        toast('Saved.')
      },
      field('Model calls a day', calls),
      field('Model tokens a day', tokens),
      save,
      pause,
    ),
  )
}

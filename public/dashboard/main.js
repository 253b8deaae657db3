/**
 * The frame of the dashboard: routing, project, light and dark mode, sign-in, and updates while the page is visible.
 * @module
 */
import { get, keepKey, onKeyWanted } from './api.js'
import { fill, h } from './dom.js'
import { keep, kept } from './store.js'

/** Pages in menu order. Each module exports `render(root, context)`, which may return an update function. */
const TITLES = {
  overview: 'Overview',
  'try-it': 'Try it',
  interactions: 'Interactions',
  knowledge: 'Knowledge',
  experiments: 'Experiments',
  datasets: 'Datasets',
  jobs: 'Jobs',
  settings: 'Settings',
}
const PAGES = Object.keys(TITLES)
/** Interval between updates of the figures while the page is visible. */
const UPDATE_MS = 30_000

const main = document.getElementById('main')
const live = document.getElementById('live')
let project = kept('project', 'default')
let shown = 0
let update = null

function useProject(name) {
  project = name
  keep('project', name)
  document.getElementById('project-name').textContent = name
}
useProject(project)

function changeProject(name) {
  useProject(name)
  // The selected entry belongs to the previous project; only the page is kept.
  go(`#/${place().page}`)
}

/** The page, the selected entry and the view parameters: `#/interactions/<id>?outcome=failure`. */
function place() {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  const [page = '', ...rest] = path.split('/')
  return {
    page: PAGES.includes(page) ? page : 'overview',
    item: rest.map(decoded).join('/'),
    query: new URLSearchParams(query),
  }
}

/** A decoded part of the address; unchanged if it is malformed. */
function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Writes view parameters to the address without a new history entry. Empty values are removed. */
function setQuery(values) {
  const next = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) if (value !== '' && value !== null) next.set(name, value)
  const path = location.hash.split('?')[0] || '#/overview'
  history.replaceState(null, '', next.size > 0 ? `${path}?${next}` : path)
}

async function show() {
  const number = ++shown
  const { page, item, query } = place()
  if (query.has('project')) useProject(query.get('project'))
  update = null
  for (const link of document.querySelectorAll('#pages a')) {
    if (link.dataset.page === page) {
      link.setAttribute('aria-current', 'page')
      // On a phone, the menu is a row. Scroll only its list, because scrolling the page would move the keyboard focus.
      const list = link.closest('ul')
      list.scrollLeft = link.offsetLeft - (list.clientWidth - link.offsetWidth) / 2
    } else link.removeAttribute('aria-current')
  }
  const heading = h('h1', {}, TITLES[page])
  document.title = `${TITLES[page]} · Hybrid Coordinator`
  fill(main, h('div.page', {}, heading, h('div.loading', { role: 'status' }, 'Loading…')))
  const body = h('div.body')
  const title = (text) => {
    heading.textContent = text
    document.title = `${text} · Hybrid Coordinator`
  }
  try {
    const { render } = await import(`./pages/${page}.js`)
    const next = await render(body, { project, item, query, go, setQuery, title })
    if (number !== shown) return
    fill(main, h('div.page', {}, heading, body))
    update = next ?? null
    seen(true)
  } catch (error) {
    if (number !== shown) return
    fill(main, h('div.page', {}, heading, failure(error)))
    seen(false, error.status)
  }
  main.setAttribute('data-ready', page)
}

function failure(error) {
  return h(
    'div.failure',
    { role: 'alert' },
    h('p', {}, error.message),
    error.hint ? h('p', {}, error.hint) : null,
    h('button', { type: 'button', onclick: show }, 'Try again'),
  )
}

function go(hash) {
  if (location.hash === hash) show()
  else location.hash = hash
}

function seen(well, status = 0) {
  live.textContent = well
    ? `Updated ${new Date().toLocaleTimeString()}`
    : status > 0
      ? 'Request refused'
      : 'No connection'
  live.classList.toggle('bad', !well)
}

async function refresh() {
  if (!update || document.hidden) return
  const number = shown
  try {
    await update()
    if (number === shown) seen(true)
  } catch (error) {
    if (number === shown) seen(false, error.status)
  }
}
setInterval(refresh, UPDATE_MS)
document.addEventListener('visibilitychange', refresh)

onKeyWanted(
  (wrong) =>
    new Promise((resolve) => {
      const dialog = document.getElementById('sign-in')
      document.getElementById('sign-in-error').textContent = wrong
        ? 'This key is not known here, has expired or was revoked.'
        : ''
      const key = document.getElementById('key')
      key.value = ''
      dialog.showModal()
      document.getElementById('sign-in-form').onsubmit = () => {
        keepKey(key.value.trim(), document.getElementById('remember').checked)
        resolve()
      }
      // Escape doesn't answer the question: it is asked again with the next request.
      dialog.oncancel = (event) => event.preventDefault()
    }),
)

const theme = kept('theme', null)
if (theme) document.documentElement.dataset.theme = theme
document.getElementById('theme').addEventListener('click', () => {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const now = document.documentElement.dataset.theme ?? (dark ? 'dark' : 'light')
  const next = now === 'dark' ? 'light' : 'dark'
  document.documentElement.dataset.theme = next
  keep('theme', next)
  show()
})

/** The dialog is loaded after the first page, so that text typed right after Ctrl-K is not lost. */
const loadPalette = () => import('./palette.js')
const choose = async (options) => (await loadPalette()).choose(options)
document.getElementById('project').addEventListener('click', () => choose({ only: 'projects', project, changeProject }))
const search = () =>
  choose({ project, changeProject, pages: PAGES.map((page) => ({ title: TITLES[page], hash: `#/${page}` })), go })
document.getElementById('search').addEventListener('click', search)
document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k' && !document.querySelector('dialog[open]')) {
    event.preventDefault()
    search()
  }
})

fill(
  document.getElementById('pages'),
  PAGES.map((page) => h('li', {}, h('a', { href: `#/${page}`, 'data-page': page }, TITLES[page]))),
)
window.addEventListener('hashchange', show)
show().finally(loadPalette)

/** First-time visitors see a project that has content. */
async function firstVisit() {
  if (kept('project-chosen', null)) return
  const { projects } = await get('/projects', { limit: 100 })
  keep('project-chosen', 'yes')
  const named = projects.find((entry) => entry.project === project)
  const latest = projects.toSorted((a, b) => (b.last_active_at ?? 0) - (a.last_active_at ?? 0))[0]
  if (!named && latest) changeProject(latest.project)
}
firstVisit().catch(() => undefined)

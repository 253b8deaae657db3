/**
 * The frame of the dashboard: pages by the address's hash, the project, light and dark, sign-in, and updates while it is looked at.
 * @module
 */
import { get, keepKey, onKeyWanted } from './api.js'
import { fill, h } from './dom.js'

/** Pages in the order of the menu. Each module exports `title` and `render(root, context)`, which may return an update function. */
const PAGES = ['overview', 'try-it', 'interactions', 'knowledge', 'experiments', 'datasets', 'jobs', 'settings']
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
/** Figures are read again this often while the page is visible. */
const UPDATE_MS = 30_000

const main = document.getElementById('main')
const live = document.getElementById('live')
const project = document.getElementById('project')
let shown = 0
let update = null

project.value = localStorage.getItem('hybrid-coordinator-project') ?? 'default'
document.getElementById('project-form').addEventListener('submit', (event) => {
  event.preventDefault()
  changeProject()
})
project.addEventListener('change', changeProject)

function changeProject() {
  project.value = project.value.trim() || 'default'
  localStorage.setItem('hybrid-coordinator-project', project.value)
  rememberProject(project.value)
  show()
}

/** Projects that were looked at in this browser, latest first; they are offered as choices. */
function rememberProject(name) {
  const known = JSON.parse(localStorage.getItem('hybrid-coordinator-projects') ?? '[]')
  const next = [name, ...known.filter((other) => other !== name)].slice(0, 20)
  localStorage.setItem('hybrid-coordinator-projects', JSON.stringify(next))
  fill(document.getElementById('projects'), ...next.map((value) => h('option', { value })))
}
rememberProject(project.value)

/** Which page and which thing on it: `#/interactions/<id>`. */
function place() {
  const [page = '', ...rest] = location.hash.replace(/^#\//, '').split('/')
  return { page: PAGES.includes(page) ? page : 'overview', item: rest.map(decoded).join('/') }
}

/** A part of the address; as it stands when it is not well-formed. */
function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function show() {
  const number = ++shown
  const { page, item } = place()
  update = null
  for (const link of document.querySelectorAll('#pages a')) {
    if (link.dataset.page === page) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${TITLES[page]} · Hybrid Coordinator`
  const root = h('div.page', {}, h('h1', {}, TITLES[page]), h('div.loading', { role: 'status' }, 'Loading…'))
  fill(main, root)
  const body = h('div.body')
  try {
    const { render } = await import(`./pages/${page}.js`)
    const next = await render(body, { project: project.value, item, go })
    if (number !== shown) return
    fill(root, h('h1', {}, TITLES[page]), body)
    update = next ?? null
    seen(true)
  } catch (error) {
    if (number !== shown) return
    fill(root, h('h1', {}, TITLES[page]), failure(error))
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

setInterval(async () => {
  if (!update || document.hidden) return
  const number = shown
  try {
    await update()
    if (number === shown) seen(true)
  } catch (error) {
    if (number === shown) seen(false, error.status)
  }
}, UPDATE_MS)

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
      // Escape leaves the question open: it is asked again with the next request.
      dialog.oncancel = (event) => event.preventDefault()
    }),
)

const theme = localStorage.getItem('hybrid-coordinator-theme')
if (theme) document.documentElement.dataset.theme = theme
document.getElementById('theme').addEventListener('click', () => {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const now = document.documentElement.dataset.theme ?? (dark ? 'dark' : 'light')
  const next = now === 'dark' ? 'light' : 'dark'
  document.documentElement.dataset.theme = next
  localStorage.setItem('hybrid-coordinator-theme', next)
  show()
})

fill(
  document.getElementById('pages'),
  PAGES.map((page) => h('li', {}, h('a', { href: `#/${page}`, 'data-page': page }, TITLES[page]))),
)
window.addEventListener('hashchange', show)
get('/health').catch(() => undefined)
show()

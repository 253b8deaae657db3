/**
 * A dialog for quick navigation: pages, projects, and search results. Ctrl-K opens it; the project button opens its
 * list of projects.
 * @module
 */
import { get, post } from './api.js'
import { fill, h } from './dom.js'
import { ago, beginning, count } from './format.js'
import { itemTitle } from './text.js'

/** Minimum number of characters for a search, and the pause after the last one, in milliseconds. */
const MIN_SEARCH = 3
const PAUSE_MS = 250

/**
 * Opens the dialog.
 * @param {{ project: string, changeProject: (name: string) => void, pages?: { title: string, hash: string }[], go?: (hash: string) => void, only?: 'projects' }} options
 */
export function choose({ project, changeProject, pages = [], go, only }) {
  const input = h('input', {
    type: 'search',
    role: 'combobox',
    'aria-expanded': 'true',
    'aria-controls': 'palette-list',
    'aria-autocomplete': 'list',
    'aria-label': only ? 'Find a project' : 'Go to a page or project, or search the knowledge',
    placeholder: only ? 'Find a project, or name a new one' : 'Page, project, or words to search for',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: 200,
  })
  const list = h('ul.palette-list', { id: 'palette-list', role: 'listbox', 'aria-label': 'Choices' })
  const dialog = h('dialog.palette', { 'aria-label': only ? 'Projects' : 'Search' }, input, list)
  let projects = []
  let found = []
  let active = 0
  let choices = []
  let timer = 0

  const matches = (text) => text.toLowerCase().includes(input.value.trim().toLowerCase())
  const draw = () => {
    const wanted = input.value.trim()
    choices = [
      ...pages
        .filter(({ title }) => matches(title))
        .map(({ title, hash }) => ({ title, note: 'page', run: () => go(hash) })),
      ...projects
        .filter((entry) => matches(entry.project))
        .slice(0, only ? 50 : 6)
        .map((entry) => ({
          title: entry.project,
          note: h(
            'span',
            {},
            `${count(entry.documents)} documents, ${count(entry.interactions)} interactions, `,
            entry.last_active_at === null ? 'never used' : ago(entry.last_active_at),
          ),
          current: entry.project === project,
          run: () => changeProject(entry.project),
        })),
      ...(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(wanted) &&
      only &&
      !projects.some((entry) => entry.project === wanted)
        ? [{ title: wanted, note: 'new project', run: () => changeProject(wanted) }]
        : []),
      ...found.map((item) => ({
        title: beginning(String(itemTitle(item)), 80),
        note: item.collection,
        run: () => go(`#/knowledge/${item.context_id}`),
      })),
    ]
    active = Math.min(active, Math.max(0, choices.length - 1))
    fill(
      list,
      choices.length > 0
        ? choices.map(({ title, note, current }, i) =>
            h(
              'li',
              {
                role: 'option',
                id: `palette-${i}`,
                'aria-selected': String(i === active),
                onclick: () => pick(i),
                onmousemove: () => select(i),
              },
              h('span', {}, title, current ? ' ✓' : ''),
              h('span.muted', {}, note),
            ),
          )
        : h('li.muted', { role: 'option', 'aria-selected': 'false', 'aria-disabled': 'true' }, 'Nothing matches.'),
    )
    input.setAttribute('aria-activedescendant', choices.length > 0 ? `palette-${active}` : '')
  }
  const select = (i) => {
    if (i === active) return
    list.children[active]?.setAttribute('aria-selected', 'false')
    active = i
    list.children[active]?.setAttribute('aria-selected', 'true')
    list.children[active]?.scrollIntoView({ block: 'nearest' })
    input.setAttribute('aria-activedescendant', `palette-${active}`)
  }
  const pick = (i) => {
    const choice = choices[i]
    if (!choice) return
    dialog.close()
    choice.run()
  }
  const search = async () => {
    const query = input.value.trim()
    if (only || query.length < MIN_SEARCH) {
      found = []
      return
    }
    const { combined_results: results } = await post('/hybrid_search', { project, query, limit: 6 }).catch(() => ({
      combined_results: [],
    }))
    if (query === input.value.trim()) found = results
    draw()
  }

  input.addEventListener('input', () => {
    active = 0
    found = []
    draw()
    clearTimeout(timer)
    timer = setTimeout(search, PAUSE_MS)
  })
  input.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && choices.length > 0) {
      event.preventDefault()
      select((active + step + choices.length) % choices.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      pick(active)
    }
  })
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close()
  })
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  draw()
  get('/projects', { limit: 1000 })
    .then((answer) => {
      projects = answer.projects.toSorted((a, b) => (b.last_active_at ?? 0) - (a.last_active_at ?? 0))
      draw()
    })
    .catch(() => undefined)
}

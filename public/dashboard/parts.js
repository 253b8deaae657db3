/**
 * Components shared by several pages: explanations, copy buttons, empty states, messages, and action buttons.
 * @module
 */
import { fill, h, select } from './dom.js'
import { keep, kept } from './store.js'

/** An empty state with the first step to take. */
export function empty(text, command) {
  return h('div.empty', {}, h('p', {}, text), command ? copyable(command) : null)
}

/** A button that copies a text. */
export function copyButton(text, label = 'Copy') {
  return h(
    'button.small',
    {
      type: 'button',
      onclick: () =>
        navigator.clipboard.writeText(typeof text === 'function' ? text() : text).then(
          () => toast('Copied.'),
          () => toast('This browser does not allow copying here.', 'bad'),
        ),
    },
    label,
  )
}

/** A command with a button that copies it. */
export function copyable(command) {
  return h('div.copyable', {}, h('pre', { tabindex: '0' }, h('code', {}, command)), copyButton(command))
}

let tips = 0

/** A small button that explains the element next to it. */
export function tip(about, text) {
  const id = `tip-${tips++}`
  const note = h('div.tip-text', { id, popover: 'auto', role: 'note' }, text)
  const button = h('button.tip', { type: 'button', popovertarget: id, 'aria-label': `What is: ${about}` }, '?')
  note.addEventListener('toggle', (event) => {
    if (event.newState !== 'open') return
    const { left, bottom } = button.getBoundingClientRect()
    note.style.left = `${Math.max(8, Math.min(left, innerWidth - note.offsetWidth - 8))}px`
    note.style.top = `${Math.min(bottom + 6, innerHeight - note.offsetHeight - 8)}px`
  })
  return h('span.tip-holder', {}, button, note)
}

/** Text with an explanation, for a table heading or the name of a figure. */
export function explained(label, text) {
  return h('span', { 'data-label': label }, label, ' ', tip(label, text))
}

/** Buttons for the previous and next pages. `cursors` contains those of the pages up to the current one. */
export function pager(cursors, next, load, names = ['Newer', 'Older']) {
  const turn = (change) => (event) => {
    change()
    act(event.currentTarget, load)
  }
  return h(
    'div.row.pager',
    {},
    cursors.length > 1 ? h('button', { type: 'button', onclick: turn(() => cursors.pop()) }, names[0]) : null,
    next ? h('button', { type: 'button', onclick: turn(() => cursors.push(next)) }, names[1]) : null,
  )
}

let toasts = 0

/** Reports the result of an action. */
export function toast(text, kind = 'good') {
  const element = h(`p.toast.${kind}`, { id: `toast-${toasts++}` }, text)
  document.getElementById('toasts').append(element)
  setTimeout(() => element.remove(), 6000)
}

/** Runs a button's action: prevents a second click, and shows errors. */
export async function act(button, work) {
  button.disabled = true
  button.setAttribute('aria-busy', 'true')
  try {
    return await work()
  } catch (error) {
    toast(error.hint ? `${error.message} ${error.hint}` : error.message, 'bad')
    return undefined
  } finally {
    button.disabled = false
    button.removeAttribute('aria-busy')
  }
}

/** A button with an action. */
export function action(text, work, { kind = '', label } = {}) {
  const button = h(
    kind ? `button.${kind}` : 'button',
    { type: 'button', 'aria-label': label, onclick: () => act(button, work) },
    text,
  )
  return button
}

/** A delete button that asks for confirmation. */
export function deletion(text, work, label) {
  const button = h('button.danger', { type: 'button', 'aria-label': label }, text)
  button.addEventListener('click', () => {
    if (button.dataset.sure === 'yes') {
      act(button, work)
      return
    }
    button.dataset.sure = 'yes'
    button.textContent = 'Really delete?'
    button.removeAttribute('aria-label')
  })
  return button
}

/** A form with a submit action. `button` is its own button. */
export function form(name, button, work, ...children) {
  return h(
    name,
    {
      onsubmit: (event) => {
        event.preventDefault()
        act(button, work)
      },
    },
    ...children,
  )
}

/** Fills a container with the result of a request, or shows the error with a retry button. */
export async function load(holder, work) {
  try {
    fill(holder, await work())
  } catch (error) {
    fill(
      holder,
      h(
        'div.failure',
        { role: 'alert' },
        h('p', {}, error.hint ? `${error.message} ${error.hint}` : error.message),
        action('Try again', () => load(holder, work)),
      ),
    )
  }
}

const PERIODS = [
  ['7', 'Last 7 days'],
  ['30', 'Last 30 days'],
  ['90', 'Last 90 days'],
  ['3650', 'All time'],
]

/** Number of days shown on every page with daily figures. */
export const period = () => Number(kept('period', '30'))

/** The selection of the period. */
export function periodField(onchange) {
  const choice = select(PERIODS, String(period()), () => {
    keep('period', choice.value)
    onchange()
  })
  choice.setAttribute('aria-label', 'Period')
  return choice
}

/**
 * Makes elements. Text is always set as text, so nothing that was stored can become markup.
 * @module
 */

/**
 * @param {string} name tag, with classes: `p.note.small`
 * @param {Record<string, unknown>} [properties] attributes; `on…` are listeners; false, null and undefined are left out
 * @param {...(Node | string | number | null | undefined | false | (Node | string | null)[])} children
 * @returns {HTMLElement}
 */
export function h(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split('.')
  const element = document.createElement(tag)
  if (classes.length > 0) element.className = classes.join(' ')
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue
    if (key.startsWith('on')) element.addEventListener(key.slice(2), /** @type {EventListener} */ (value))
    else if (key === 'value') /** @type {HTMLInputElement} */ (element).value = String(value)
    else element.setAttribute(key, value === true ? '' : String(value))
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue
    element.append(child instanceof Node ? child : String(child))
  }
  return element
}

const FOCUSABLE = 'a[href], button, input, select, textarea, summary, [tabindex]'

/** Replaces what an element holds. The focus stays on the control that takes the place of the one that had it, and what was unfolded stays so. */
export function fill(element, ...children) {
  const controls = [...element.querySelectorAll(FOCUSABLE)]
  const focused = controls.indexOf(/** @type {HTMLElement} */ (document.activeElement))
  const unfolded = [...element.querySelectorAll('details')].map(({ open }) => open)
  element.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  )
  const details = element.querySelectorAll('details')
  if (details.length === unfolded.length) {
    for (const [i, one] of details.entries()) one.open = unfolded[i]
  }
  if (focused >= 0) successor(controls[focused], focused, element)?.focus({ preventScroll: true })
}

/** The control that stands for `before`: the same kind with the same words (and address), the nearest to its old place. */
function successor(before, index, element) {
  const same = (control) =>
    control.tagName === before.tagName &&
    control.id === before.id &&
    control.textContent === before.textContent &&
    control.getAttribute('href') === before.getAttribute('href')
  return [...element.querySelectorAll(FOCUSABLE)]
    .map((control, i) => ({ control, far: Math.abs(i - index) }))
    .filter(({ control }) => same(control))
    .sort((a, b) => a.far - b.far)[0]?.control
}

/** A titled section of a page. */
export function card(title, ...children) {
  const id = `card-${title.toLowerCase().replace(/\W+/g, '-')}`
  return h('section.card', { 'aria-labelledby': id }, h('h2', { id }, title), ...children)
}

/** What is shown where there is nothing yet: what to do first. */
export function empty(text, command) {
  return h('div.empty', {}, h('p', {}, text), command ? copyable(command) : null)
}

/** A command with a button that copies it. */
export function copyable(command) {
  const button = h(
    'button.quiet',
    { type: 'button', onclick: () => navigator.clipboard.writeText(command).then(() => toast('Copied.')) },
    'Copy',
  )
  return h('div.copyable', {}, h('pre', {}, h('code', {}, command)), button)
}

/** A table; the first cell of a row may be a link or a button. */
export function table(caption, heads, rows) {
  return h(
    'div.scroll',
    { tabindex: '0', role: 'region', 'aria-label': `${caption}, table` },
    h(
      'table',
      {},
      h('caption.visually-hidden', {}, caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...heads.map((head) => h('th', { scope: 'col' }, head === '' ? h('span.visually-hidden', {}, 'More') : head)),
        ),
      ),
      h('tbody', {}, ...rows.map((cells) => h('tr', {}, ...cells.map((cell) => h('td', {}, cell))))),
    ),
  )
}

/** A field with its label. */
export function field(label, control) {
  const id = control.id || `field-${label.toLowerCase().replace(/\W+/g, '-')}`
  control.id = id
  return h('div.field', {}, h('label', { for: id }, label), control)
}

/** A choice of one. */
export function select(options, value, onchange) {
  const element = h('select', { onchange })
  for (const [key, text] of options) element.append(h('option', { value: key, selected: key === value }, text))
  element.value = value
  return element
}

/** Buttons to the page before and after; `cursors` holds those of the pages up to the one shown. */
export function pager(cursors, next, load) {
  const back = () => {
    cursors.pop()
    load()
  }
  const on = () => {
    cursors.push(next)
    load()
  }
  return h(
    'div.row',
    {},
    cursors.length > 1 ? h('button', { type: 'button', onclick: back }, 'Newer') : null,
    next ? h('button', { type: 'button', onclick: on }, 'Older') : null,
  )
}

let toasts = 0

/** Reports the result of an action. */
export function toast(text, kind = 'good') {
  const element = h(`p.toast.${kind}`, { id: `toast-${toasts++}` }, text)
  document.getElementById('toasts').append(element)
  setTimeout(() => element.remove(), 6000)
}

/** Runs an action of a button: it can't be pressed twice, and its error is shown. */
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

/**
 * Creates elements. Text is always inserted as text, so stored content can't become markup.
 * @module
 */

/**
 * @param {string} name tag, with classes: `p.note.small`
 * @param {Record<string, unknown>} [properties] attributes; `on…` are listeners; false, null and undefined are omitted
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

/**
 * Replaces the content of an element. The focus moves to the control that replaces the focused one, and unfolded
 * details stay unfolded.
 */
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

/** The control that replaces `before`: the same kind with the same text (and address), closest to its old position. */
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

/** A list of terms and their values. */
export function facts(entries) {
  return h(
    'dl.figures',
    {},
    ...entries.filter(Boolean).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  )
}

/**
 * A table; the first cell of a row may be a link or a button. On a phone, each row is a card, with the headings next to
 * the cells.
 * @param {string} caption
 * @param {(string | Node)[]} heads '' for a column of buttons
 * @param {(Node | string | number | null)[][]} rows
 */
export function table(caption, heads, rows) {
  const names = heads.map((head) => (typeof head === 'string' ? head : (head.dataset.label ?? head.textContent)))
  return h(
    'div.scroll',
    { tabindex: '0', role: 'region', 'aria-label': `${caption}, table` },
    h(
      'table.stacked',
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
      h(
        'tbody',
        {},
        ...rows.map((cells) => h('tr', {}, ...cells.map((cell, i) => h('td', { 'data-head': names[i] }, cell)))),
      ),
    ),
  )
}

/** A field with its label and an optional hint. */
export function field(label, control, hint) {
  const id = control.id || `field-${label.toLowerCase().replace(/\W+/g, '-')}`
  control.id = id
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`)
  return h(
    'div.field',
    {},
    h('label', { for: id }, label),
    control,
    hint ? h('p.hint', { id: `${id}-hint` }, hint) : null,
  )
}

/** A select control. */
export function select(options, value, onchange) {
  const element = h('select', { onchange })
  for (const [key, text] of options) element.append(h('option', { value: key, selected: key === value }, text))
  element.value = value
  return element
}

/**
 * How far long work is, told by the server as it happens: while jobs wait or vectors are missing, and the page is visible.
 * @module
 */
import { events } from './api.js'
import { fill, h } from './dom.js'
import { count } from './format.js'

/**
 * A line that shows what is under way, and nothing when nothing is.
 * @param {string} project
 * @param {() => Promise<void>} changed reads the page's figures again; called when the work is done
 * @returns {{ element: HTMLElement, watch(): void }} `watch` looks whether there is work, unless that is being watched already
 */
export function progressLine(project, changed) {
  const element = h('div', { 'aria-live': 'polite' })
  let stop = null
  let attached = false
  const watch = async () => {
    if (stop || document.hidden) return
    stop = new AbortController()
    let busy = false
    try {
      await events('/learning/progress', { project }, stop.signal, (now) => {
        // The page is put in place after its first figures are there.
        attached ||= element.isConnected
        if (attached !== element.isConnected || document.hidden) {
          stop.abort()
          return
        }
        busy ||= jobsOf(now) > 0 || now.with_vector < now.items
        fill(element, line(now))
      })
      if (busy) await changed()
    } catch {
      // A server without the stream, or a page that was left: the figures are read again by the clock.
      fill(element)
    } finally {
      stop = null
    }
  }
  return { element, watch }
}

const jobsOf = ({ jobs }) => Object.values(jobs).reduce((sum, n) => sum + n, 0)

function line({ jobs, items, with_vector: vectors }) {
  const waiting = jobsOf({ jobs })
  if (waiting === 0 && vectors >= items) return null
  return h(
    'p.note.row',
    {},
    vectors < items
      ? h(
          'span',
          {},
          h('progress', { max: items, value: vectors, 'aria-label': 'Items with a vector' }),
          ` ${count(vectors)} of ${count(items)} items are embedded; the others are found by their words.`,
        )
      : null,
    waiting > 0
      ? h('span', {}, waiting === 1 ? '1 background job is waiting.' : `${count(waiting)} background jobs are waiting.`)
      : null,
  )
}

/**
 * The progress of background work, streamed by the server while jobs are pending or vectors are missing, and the page
 * is visible.
 * @module
 */
import { events } from './api.js'
import { fill, h } from './dom.js'
import { count } from './format.js'

/**
 * A line with the work in progress; empty if there is none.
 * @param {string} project
 * @param {() => Promise<void>} changed reloads the page's figures; called when the work is done
 * @returns {{ element: HTMLElement, watch(): void }} `watch` starts checking for work, unless that is already in
 *   progress
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
        // The page is inserted after its first figures have been loaded.
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
      // The server doesn't support the stream, or the user has left the page: figures are updated by the timer instead.
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

/**
 * Charts with Chart.js. Each also has a table with the same figures, for accessibility.
 * @module
 */
import { h } from './dom.js'

/* global Chart */

let library = null

/** Loads Chart.js once. */
function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = h('script', { src: '/dashboard/vendor/chart.umd.js' })
    script.addEventListener('load', resolve)
    script.addEventListener('error', () => reject(new Error('The charts could not be loaded: run npm run prepare.')))
    document.head.append(script)
  })
  return library
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/**
 * A chart whose data can be updated.
 * @param {string} title description of the chart, also for screen readers
 * @param {'bar' | 'line'} type
 * @param {{ stacked?: boolean, max?: number, percent?: boolean }} [options]
 * @returns {{ element: HTMLElement, show(labels: string[], series: { label: string, colour: string, values: (number | null)[] }[]): Promise<void> }}
 */
export function chart(title, type, options = {}) {
  const canvas = h('canvas', { role: 'img', 'aria-label': title })
  const data = h('div', {})
  const element = h(
    'figure.chart',
    {},
    h('div.canvas', {}, canvas),
    h('details', {}, h('summary', {}, 'As a table'), data),
  )
  let drawn = null
  return {
    element,
    async show(labels, series) {
      data.replaceChildren(figures(title, labels, series))
      await loadLibrary()
      const text = colour('muted')
      const grid = colour('line')
      drawn?.destroy()
      drawn = new Chart(canvas, {
        type,
        data: {
          labels,
          datasets: series.map(({ label, colour: name, values }) => ({
            label,
            data: values,
            backgroundColor: colour(name),
            borderColor: colour(name),
            borderWidth: type === 'line' ? 2 : 0,
            borderRadius: 3,
            pointRadius: values.length > 40 ? 0 : 3,
            tension: 0.25,
            spanGaps: true,
            maxBarThickness: 38,
          })),
        },
        options: {
          animation: false,
          responsive: true,
          maintainAspectRatio: false,
          interaction: { mode: 'index', intersect: false },
          scales: {
            x: {
              stacked: options.stacked,
              grid: { display: false },
              ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 },
            },
            y: {
              stacked: options.stacked,
              beginAtZero: true,
              max: options.max,
              grid: { color: grid },
              border: { display: false },
              ticks: { color: text, precision: options.max ? undefined : 0 },
            },
          },
          plugins: {
            legend: {
              display: series.length > 1,
              position: 'bottom',
              labels: { color: text, boxWidth: 12, boxHeight: 12 },
            },
          },
        },
      })
    },
  }
}

function figures(title, labels, series) {
  return h(
    'div.scroll',
    { tabindex: '0', role: 'region', 'aria-label': `${title}, as a table` },
    h(
      'table',
      {},
      h('caption.visually-hidden', {}, title),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, h('span.visually-hidden', {}, 'At')),
          ...series.map(({ label }) => h('th', { scope: 'col' }, label)),
        ),
      ),
      h(
        'tbody',
        {},
        ...labels.map((label, i) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, label),
            ...series.map(({ values }) => h('td', {}, values[i] === null ? 'unknown' : String(values[i]))),
          ),
        ),
      ),
    ),
  )
}

/**
 * A rate with its interval on a scale from 0 to 1.
 * @param {{ low: number, high: number } | null} interval
 */
export function intervalBar(rate, interval, label) {
  const scale = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(scale, 'svg')
  svg.setAttribute('viewBox', '0 0 200 16')
  svg.setAttribute('class', 'interval')
  svg.setAttribute('role', 'img')
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('aria-label', label)
  const line = (x1, x2, y, kind) => {
    const element = document.createElementNS(scale, 'line')
    for (const [name, value] of Object.entries({ x1, x2, y1: y, y2: y })) element.setAttribute(name, String(value))
    element.setAttribute('class', kind)
    svg.append(element)
  }
  line(0, 200, 8, 'axis')
  if (interval) line(200 * interval.low, 200 * interval.high, 8, 'span')
  if (rate !== null) {
    const dot = document.createElementNS(scale, 'rect')
    dot.setAttribute('x', String(200 * rate - 2))
    dot.setAttribute('y', '2')
    dot.setAttribute('width', '4')
    dot.setAttribute('height', '12')
    dot.setAttribute('class', 'rate')
    svg.append(dot)
  }
  return svg
}

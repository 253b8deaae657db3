/** Two variants compared, with an interval that holds however often it is looked at. */
import { post } from '../api.js'
import { chart, intervalBar } from '../charts.js'
import { act, card, empty, field, fill, h } from '../dom.js'
import { count, decimal, figure, percent } from '../format.js'

export async function render(root, { project, item }) {
  const [first = '', second = ''] = item.split('/')
  const a = h('input', { maxlength: 100, required: true, value: first })
  const b = h('input', { maxlength: 100, required: true, value: second })
  const days = h('input', { type: 'number', min: 1, max: 3650, value: 30 })
  const button = h('button.primary', { type: 'submit' }, 'Compare')
  const result = h('div', { 'aria-live': 'polite' })
  const compare = async () => {
    const found = await post('/learning/ab_compare', {
      project,
      variant_a: a.value,
      variant_b: b.value,
      days: Number(days.value),
    })
    await show(result, found)
  }
  fill(
    root,
    card(
      'Compare',
      h(
        'form.row',
        {
          onsubmit: (event) => {
            event.preventDefault()
            act(button, compare)
          },
        },
        field('Variant A', a),
        field('Variant B', b),
        field('Days', days),
        button,
      ),
      h(
        'p.muted',
        {},
        'Track interactions with a variant; /learning/assign_variant draws one for a unit, always the same.',
      ),
    ),
    result,
  )
  if (first && second) await compare()
}

async function show(result, found) {
  const total = found.variant_a.total + found.variant_b.total
  if (total === 0) {
    fill(
      result,
      empty(
        'No interaction carries these variants in this time.',
        'curl …/learning/assign_variant -d \'{"experiment": "e", "unit": "u", "variants": ["a", "b"]}\'',
      ),
    )
    return
  }
  const growth = chart('Difference of the success rates as outcomes came in, with its always-valid interval', 'line')
  const arm = (name, one) =>
    h(
      'div.rate-row',
      {},
      h('span', {}, one.name),
      figure(`experiment.${name}.success_rate`, one.success_rate, percent(one.success_rate)),
      intervalBar(
        one.success_rate,
        one.with_outcome > 0 ? one.success_interval : null,
        `${one.name}: ${percent(one.success_rate)}`,
      ),
      h(
        'span.muted',
        {},
        `${count(one.total)} interactions, ${count(one.with_outcome)} with an outcome, ${count(one.rated)} rated${one.mean_rating === null ? '' : ` (mean ${decimal(one.mean_rating)})`}`,
      ),
    )
  const span = (interval) => (interval ? `[${percent(interval.low, 1)}, ${percent(interval.high, 1)}]` : 'unknown')
  fill(
    result,
    card('Verdict', h('p.big', {}, found.verdict.replaceAll('_', ' ')), h('p', {}, found.explanation)),
    card('Variants', arm('a', found.variant_a), arm('b', found.variant_b)),
    card('As it grew', growth.element),
    card(
      'Figures',
      h(
        'dl.figures',
        {},
        ...[
          ['B less A', found.success_difference === null ? 'unknown' : percent(found.success_difference, 1)],
          ['Always-valid interval, 95 %', span(found.success_difference_always_valid)],
          ['Interval for a single look, 95 %', span(found.success_difference_interval)],
          [
            'Least difference that would show',
            found.minimum_detectable_effect === null ? 'unknown' : percent(found.minimum_detectable_effect, 1),
          ],
          ['Chance of so uneven an assignment', decimal(found.sample_ratio_p, 3)],
          ['In both variants, left out', count(found.in_both)],
        ].flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
      ),
    ),
  )
  const point = (value) => (value === null ? null : Number((100 * value).toFixed(2)))
  await growth.show(
    found.growth.map(({ day }) => day.slice(5)),
    [
      { label: 'B less A, %', colour: 'accent', values: found.growth.map(({ difference }) => point(difference)) },
      { label: 'lower end', colour: 'none', values: found.growth.map(({ interval }) => point(interval?.low ?? null)) },
      { label: 'upper end', colour: 'none', values: found.growth.map(({ interval }) => point(interval?.high ?? null)) },
    ],
  )
}

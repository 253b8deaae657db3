/** Experiments and their results. */
import { get, post } from '../api.js'
import { chart, intervalBar } from '../charts.js'
import { card, facts, field, fill, h, select, table } from '../dom.js'
import { ago, count, decimal, figure, percent, rateOf } from '../format.js'
import { copyable, empty, explained, form, period, periodField } from '../parts.js'

export async function render(root, { project, item, go, setQuery, query }) {
  const days = period()
  const { variants } = await get('/learning/variants', { project, days })
  const result = h('div', { 'aria-live': 'polite' })
  const [first = '', second = ''] = item.split('/')
  const [a, b] = [
    query.get('a') || first || variants[0]?.variant || '',
    query.get('b') || second || variants[1]?.variant || '',
  ]
  fill(
    root,
    h(
      'div.row.spread',
      {},
      h('p.muted', {}, 'An experiment compares two ways of doing something, by the outcomes of the answers.'),
      periodField(() => go('#/experiments')),
    ),
    variants.length > 0 ? list(variants) : null,
    variants.length > 1 ? compareForm(variants, a, b, (one, other) => compare(one, other)) : howTo(variants.length),
    result,
    variants.length > 1 ? h('details.card', {}, h('summary', {}, 'How to run an experiment'), ...steps()) : null,
  )
  const compare = async (one, other) => {
    setQuery({ a: one, b: other })
    await show(result, await post('/learning/ab_compare', { project, variant_a: one, variant_b: other, days }))
  }
  if (variants.length > 1 && a !== b) await compare(a, b)
}

function list(variants) {
  return card(
    'Variants',
    table(
      'Variants',
      [
        'Variant',
        'Interactions',
        'With an outcome',
        explained('Success', 'Of those with an outcome; a partial success counts half.'),
        'First',
        'Last',
      ],
      variants.map((one) => [
        h('a', { href: `#/interactions?variant=${encodeURIComponent(one.variant)}` }, one.variant),
        figure(`variant.${one.variant}.interactions`, one.interactions),
        count(one.success + one.partial + one.failure),
        percent(rateOf(one)),
        ago(one.first_at),
        ago(one.last_at),
      ]),
    ),
  )
}

function compareForm(variants, a, b, compare) {
  const options = variants.map(({ variant }) => [variant, variant])
  const one = select(options, a)
  const other = select(options, b)
  const button = h('button.primary', { type: 'submit' }, 'Compare')
  return card(
    'Compare',
    form(
      'form.row',
      button,
      () => compare(one.value, other.value),
      field('Variant A', one),
      field('Variant B', other),
      button,
    ),
  )
}

function steps() {
  return [
    h(
      'ol.plain',
      {},
      h('li', {}, 'Ask for the variant of a user, session or repository. The same one always gets the same variant.'),
      h('li', {}, 'Do the task that way, and track the answer with this variant.'),
      h('li', {}, 'Report outcomes as always. This page compares them, and its verdict holds however often you look.'),
    ),
    copyable(
      `curl -s ${location.origin}/learning/assign_variant -H 'content-type: application/json' -d '{ "experiment": "short-prompt", "unit": "session-42", "variants": ["short", "long"] }'`,
    ),
  ]
}

function howTo(n) {
  return card(
    n === 0 ? 'No experiments yet' : 'A second variant is missing',
    h('p', {}, n === 0 ? 'No interaction of this period carries a variant.' : 'Two are needed to compare.'),
    ...steps(),
  )
}

/** The result as one sentence. */
function sentence({
  variant_a: a,
  variant_b: b,
  verdict,
  success_difference: difference,
  minimum_detectable_effect: least,
}) {
  const n = a.with_outcome + b.with_outcome
  const points = difference === null ? '' : `${Math.abs(100 * difference).toFixed(1)} percentage points`
  if (verdict === 'a_better') return `${a.name} succeeds more often than ${b.name}, by ${points}.`
  if (verdict === 'b_better') return `${b.name} succeeds more often than ${a.name}, by ${points}.`
  if (verdict === 'sample_ratio_mismatch')
    return `The two groups are too uneven (${count(a.total)} and ${count(b.total)}): something is wrong with the assignment, so the comparison is not to be trusted.`
  if (verdict === 'not_enough_data') return `${count(n)} outcomes are too few to tell ${a.name} and ${b.name} apart.`
  return `No difference between ${a.name} and ${b.name} is shown by ${count(n)} outcomes${least === null ? '' : `; they would show one of ${percent(least)} or more`}.`
}

async function show(result, found) {
  if (found.variant_a.total + found.variant_b.total === 0) {
    fill(result, empty('No interaction carries these variants in this period.'))
    return
  }
  const growth = chart('Difference of the success rates over time, with its always-valid interval', 'line')
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
    card(
      'Result',
      h('p.lead', {}, sentence(found)),
      h('p.muted', {}, found.explanation),
      arm('a', found.variant_a),
      arm('b', found.variant_b),
    ),
    found.growth.length > 1 ? card('Over time', growth.element) : null,
    h(
      'details.card',
      {},
      h('summary', {}, 'Statistics'),
      facts([
        ['Difference (B − A)', found.success_difference === null ? 'unknown' : percent(found.success_difference, 1)],
        [
          explained(
            'Always-valid interval, 95 %',
            'It holds however often you look while outcomes come in. The verdict goes by it.',
          ),
          span(found.success_difference_always_valid),
        ],
        [
          explained(
            'Interval for a single look, 95 %',
            'It holds only for one look at a size that was decided beforehand.',
          ),
          span(found.success_difference_interval),
        ],
        [
          explained(
            'Smallest detectable difference',
            'So many outcomes show a difference of this size with a probability of 80 %.',
          ),
          found.minimum_detectable_effect === null ? 'unknown' : percent(found.minimum_detectable_effect, 1),
        ],
        [
          explained(
            'p-value of the split',
            'Probability that an even assignment comes out at least this uneven. Under 0.001 something is wrong.',
          ),
          decimal(found.sample_ratio_p, 3),
        ],
        ['Excluded (in both)', count(found.in_both)],
      ]),
    ),
  )
  if (found.growth.length < 2) return
  const point = (value) => (value === null ? null : Number((100 * value).toFixed(2)))
  await growth.show(
    found.growth.map(({ day }) => day.slice(5)),
    [
      {
        label: 'difference (B − A), %',
        colour: 'accent',
        values: found.growth.map(({ difference }) => point(difference)),
      },
      { label: 'lower end', colour: 'none', values: found.growth.map(({ interval }) => point(interval?.low ?? null)) },
      { label: 'upper end', colour: 'none', values: found.growth.map(({ interval }) => point(interval?.high ?? null)) },
    ],
  )
}

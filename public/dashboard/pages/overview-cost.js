/** The cost of tokens, from a price table that the user edits and this browser stores. */
import { fill, h, table } from '../dom.js'
import { count, figure, short } from '../format.js'
import { explained } from '../parts.js'
import { keepJson, keptJson } from '../store.js'

/** Default price of a million input tokens in dollars: an assumption, and labelled as one. */
const ASSUMED = 3

/** The price of a million tokens of a model, or of `context`; null: not entered. */
export function priceOf(name) {
  const price = keptJson('prices', {})[name]
  return typeof price === 'number' ? price : name === 'context' ? ASSUMED : null
}

const dollars = new Intl.NumberFormat('en', { style: 'currency', currency: 'USD', maximumFractionDigits: 2 })

/** The price of a number of tokens, as `$0.12`. */
export function money(tokens, price) {
  if (tokens === null || price === null) return 'no price entered'
  const value = (tokens * price) / 1e6
  return Math.abs(value) > 0 && Math.abs(value) < 0.005 ? `under $0.01` : dollars.format(value)
}

/**
 * Tokens and their cost.
 * @param stats the answer of /stats
 * @param changed called when a price changes
 */
export function costCard(stats, changed) {
  const { measured } = stats.token_ledger
  const { whole_documents: whole } = measured
  const rows = [
    [
      'Context added to prompts',
      'Passages with their headings and delimiters.',
      measured.context_added,
      'context',
      'ledger.context_added_priced',
    ],
    [
      'The same files read whole',
      'Every file that a shown passage came from, had the agent opened it.',
      whole.augmentations > 0 ? whole.tokens : null,
      'context',
      'ledger.whole_documents',
    ],
    [
      'Not sent again',
      'Useful passages that an earlier turn of the same conversation had carried already.',
      measured.not_repeated,
      'context',
      'ledger.not_repeated',
    ],
  ]
  const models = stats.by_model.filter(({ tokens_used: tokens }) => tokens > 0)
  const holder = h('div')
  const prices = h('div')
  const draw = () => {
    fill(
      holder,
      table(
        'Tokens and money',
        ['What', 'Tokens', 'Money'],
        [
          ...rows.map(([name, meaning, tokens, price, key]) => [
            explained(name, meaning),
            figure(key, tokens, short(tokens)),
            money(tokens, priceOf(price)),
          ]),
          ...models.map(({ model, tokens_used: tokens, count: answers }) => [
            explained(
              `Answers of ${model}`,
              `Prompt and answer of ${count(answers)} interactions since the beginning, as callers reported them.`,
            ),
            figure(`model.${model}.tokens`, tokens, short(tokens)),
            money(tokens, priceOf(model)),
          ]),
        ],
      ),
    )
  }
  const input = (name, label) =>
    h('input', {
      type: 'number',
      min: 0,
      step: 'any',
      'aria-label': `Dollars per million tokens: ${label}`,
      value: priceOf(name) ?? '',
      onchange: (event) => {
        const all = { ...keptJson('prices', {}) }
        if (event.target.value === '') delete all[name]
        else all[name] = Number(event.target.value)
        keepJson('prices', all)
        draw()
        changed()
      },
    })
  fill(
    prices,
    table(
      'Prices',
      ['Tokens of', 'Dollars per million'],
      [
        ['Context (input tokens of your agent’s model)', input('context', 'context')],
        ...models.map(({ model }) => [model, input(model, model)]),
      ],
    ),
  )
  draw()
  return h(
    'div',
    {},
    holder,
    h(
      'details',
      {},
      h('summary', {}, 'Edit prices'),
      h(
        'p.muted',
        {},
        `Dollars per million tokens. Without an entry, context counts $${ASSUMED.toFixed(2)}, and models have no price. This browser keeps the table.`,
      ),
      prices,
    ),
  )
}

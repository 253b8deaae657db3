/**
 * The token ledger. Keeps counted, estimated and unknown figures separate. Pure.
 * @module
 */
import type { LedgerSums, TokenSums } from '../database/queries/ledger.ts'
import { type Interval, sampleOf, welch } from '../statistics.ts'

/** An estimate with its 95 % interval and its basis. */
export interface Estimate {
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
  readonly method: string
}

/** An unknown figure, and how it could be determined. */
export interface Unknown {
  readonly name: string
  readonly reason: string
}

export interface TokenLedger {
  readonly measured: {
    readonly augmentations: number
    readonly augmentations_with_context: number
    /** Tokens added to prompts as context. */
    readonly context_added: number
    /** Tokens of useful passages that were not sent because an earlier turn included them. */
    readonly not_repeated: number
    /** Tokens of the shown items if they had been sent whole. */
    readonly whole_items: number
    /** Tokens of the five best items sent whole, in augmentations that sent context. */
    readonly top_items_whole: number
    /** Tokens of the shown items' documents sent whole, with the tokens added in the same augmentations. */
    readonly whole_documents: { readonly tokens: number; readonly added: number; readonly augmentations: number }
    /** As reported by callers. */
    readonly used_local: number
    readonly used_remote: number
    readonly local_answers: number
  }
  readonly estimated: {
    /** Tokens of remote models that local answers replaced; null: unknown. */
    readonly remote_replaced_by_local: Estimate | null
    /** Change in the tokens of an answer due to context, with minus without, from the control group; null: unknown. */
    readonly context_effect_on_tokens: Estimate | null
  }
  readonly unknown: Unknown[]
}

/** Minimum number of answers in each arm for an estimate. */
const MIN_ANSWERS = 5

/** Computes the ledger from the sums of a project. */
export function tokenLedger(sums: LedgerSums): TokenLedger {
  const unknown: Unknown[] = []
  const replaced = replacedByLocal(sums)
  if (!replaced && sums.localAnswers > 0) {
    unknown.push({
      name: 'remote_replaced_by_local',
      reason: 'Fewer than two remote answers have reported tokens to compare with.',
    })
  }
  const tokens = tokensEffect(sums.treated.tokens, sums.control.tokens)
  const experiment = sums.treated.retrievals + sums.control.retrievals > 0
  const reason = experiment
    ? `Fewer than ${MIN_ANSWERS} answers of the control group or beside it are tracked with a retrieval_id and tokens_used.`
    : 'There is no control group: set CONTROL_GROUP_SHARE.'
  if (!tokens) unknown.push({ name: 'context_effect_on_tokens', reason })
  if (sums.unreported > 0) {
    unknown.push({
      name: 'used',
      reason: `${sums.unreported} tracked answers reported no tokens_used; they count as 0 in what is measured.`,
    })
  }
  return {
    measured: {
      augmentations: sums.augmentations,
      augmentations_with_context: sums.withContext,
      context_added: sums.added,
      not_repeated: sums.spared,
      whole_items: sums.whole,
      top_items_whole: sums.topWhole,
      whole_documents: { tokens: sums.documents.tokens, added: sums.documents.added, augmentations: sums.documents.n },
      used_local: sums.local.sum,
      used_remote: sums.remote.sum,
      local_answers: sums.localAnswers,
    },
    estimated: {
      remote_replaced_by_local: replaced,
      context_effect_on_tokens: tokens,
    },
    unknown,
  }
}

/** Local answers × mean tokens of a remote answer. This assumes comparable queries, which routing doesn't guarantee. */
function replacedByLocal({ localAnswers, remote }: LedgerSums): Estimate | null {
  const sample = sampleOf(remote.n, remote.sum, remote.squares)
  const interval = welch({ n: sample.n, mean: 0, variance: 0 }, sample)
  if (localAnswers === 0 || !interval) return null
  return estimate(
    localAnswers * sample.mean,
    scale(interval, localAnswers),
    remote.n,
    'local answers × mean remote answer',
  )
}

/** Difference of mean reported tokens. */
function tokensEffect(treated: TokenSums, control: TokenSums): Estimate | null {
  if (treated.n < MIN_ANSWERS || control.n < MIN_ANSWERS) return null
  const [one, none] = [
    sampleOf(treated.n, treated.sum, treated.squares),
    sampleOf(control.n, control.sum, control.squares),
  ]
  const interval = welch(none, one)
  if (!interval) return null
  return estimate(one.mean - none.mean, interval, treated.n + control.n, 'randomised control group, Welch interval')
}

function estimate(value: number, { low, high }: Interval, n: number, method: string): Estimate {
  return { value, low, high, n, method }
}

function scale({ low, high }: Interval, factor: number): Interval {
  return { low: Math.max(0, low * factor), high: high * factor }
}

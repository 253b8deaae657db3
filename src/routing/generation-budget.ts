/**
 * The daily budgets of language models for interactive requests: one of the caller's key, and one of the project.
 * Background work has its own budget, see patterns/generation-budget.ts.
 * @module
 */

import type { Database } from '../database/database.ts'
import { reserveTokens, settleTokens } from '../database/queries/quotas.ts'
import { CoordinatorError } from '../errors.ts'
import { DAY_MS } from '../time.ts'

/** Expected tokens of an answer if the request has no limit. */
export const EXPECTED_ANSWER_TOKENS = 1024

export interface BudgetServices {
  readonly database: Database
  readonly settings: {
    readonly GENERATION_TOKENS_PER_KEY?: number
    readonly GENERATION_TOKENS_PER_PROJECT?: number
  }
  now(): number
}

/** The project and key of a request. */
export interface Asker {
  readonly project: string
  /** Id of the key. Missing: only the project's budget counts. */
  readonly caller?: string | undefined
}

/**
 * Reserves tokens before a request to a model.
 * @param expected tokens of the prompt and the expected answer
 * @returns a function to call with the actual number of tokens; 0 for a failed request
 * @throws CoordinatorError `rate_limited` naming the exhausted budget
 */
export async function reserveGeneration(
  { database, settings, now }: BudgetServices,
  { project, caller }: Asker,
  expected: number,
): Promise<(used: number) => Promise<void>> {
  const at = now()
  const day = new Date(at).toISOString().slice(0, 10)
  const ofKey =
    caller === undefined ? null : { subject: `key:${caller}`, most: settings.GENERATION_TOKENS_PER_KEY ?? 0 }
  const ofProject = { subject: `project:${project}`, most: settings.GENERATION_TOKENS_PER_PROJECT ?? 0 }
  const budgets = ofKey ? [ofKey, ofProject] : [ofProject]
  const spent = await reserveTokens(database, day, budgets, expected)
  if (spent !== null) {
    const name = spent === ofProject.subject ? 'GENERATION_TOKENS_PER_PROJECT' : 'GENERATION_TOKENS_PER_KEY'
    throw new CoordinatorError('rate_limited', `The day's budget of tokens is spent: the limit ${name} is exceeded.`, {
      field: name,
      limit: settings[name],
      hint: 'Ask for context only, raise the limit, or wait until the next day (UTC).',
      retryAfter: ((Math.floor(at / DAY_MS) + 1) * DAY_MS - at) / 1000,
    })
  }
  return (used) => settleTokens(database, day, budgets, used - expected).catch(() => undefined)
}

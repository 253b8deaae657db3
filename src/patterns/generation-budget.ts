/**
 * The daily budget of language models for background work. Interactive requests are not counted.
 * @module
 */

import { adjustUse, readControls, reserveUse } from '../database/queries/controls.ts'
import type { ChatMessage, ChatModel, ChatReply } from '../inference/chat/chat-model.ts'
import type { Services } from '../services.ts'
import { tokenCounter } from '../text/token-counter.ts'
import { DAY_MS } from '../time.ts'

/** Thrown when the day's budget is used up. The job runs again on the next day. */
export class BudgetSpent extends Error {
  /** Start of the next day (UTC), milliseconds since 1970. */
  readonly until: number

  constructor(until: number) {
    super('The daily budget of background work is spent.')
    this.until = until
  }
}

/** The day (UTC) of a time, `2027-01-31`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** Start of the day (UTC) after a time, milliseconds since 1970. */
export function nextDay(time: number): number {
  return (Math.floor(time / DAY_MS) + 1) * DAY_MS
}

/**
 * A model whose calls use the daily budget: prompt and expected answer are reserved before a call, and corrected to the
 * actual use afterwards. A failed call counts its prompt.
 */
export function budgetedModel(services: Services, model: ChatModel): ChatModel {
  return {
    name: model.name,
    async complete(messages, options): Promise<ChatReply> {
      const { database } = services
      const now = services.now()
      const day = dayOf(now)
      const prompt = await promptTokens(messages)
      const reserved = prompt + options.maxTokens
      if (!(await reserveUse(database, day, reserved, await readControls(database))))
        throw new BudgetSpent(nextDay(now))
      let used = prompt
      try {
        const reply = await model.complete(messages, options)
        used = (reply.promptTokens ?? prompt) + (reply.completionTokens ?? (await promptTokens([reply])))
        return reply
      } finally {
        await adjustUse(database, day, used - reserved)
      }
    },
  }
}

async function promptTokens(messages: readonly Pick<ChatMessage, 'content'>[]): Promise<number> {
  const count = await tokenCounter()
  return messages.reduce((sum, { content }) => sum + count(content), 0)
}
